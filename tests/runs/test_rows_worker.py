"""The program that reads templates and rows, without its walls: its own bounds."""

import json
import re

import pytest

from fabriek.quality.worker.job import Given, Job, Trouble
from fabriek.runs.worker import reading, signs
from fabriek.runs.worker.shown import laid, shown
from fabriek.runs.worker.split import split
from fabriek.runs.worker.template import Chat
from fabriek_recipes.chat import BadTemplate
from fabriek_recipes.rows import LINE_BYTES_MAX, RowProblem
from tests.runs.chats import END, TEMPLATE, row

ASKED = [{"role": "user", "content": "Waar?"}]


@pytest.fixture
def chat(tmp_path):
    def made(template):
        path = tmp_path / "tokenizer_config.json"
        path.write_text(json.dumps({"eos_token": END, "chat_template": template}))
        return Chat({path.name: path})

    return made


@pytest.fixture
def read(tmp_path):
    def found(**files):
        job = Job(folder=tmp_path, asked={}, files=[])
        job.temporary.mkdir(exist_ok=True)
        for name, held in files.items():
            at = tmp_path / name
            at.write_text(held)
            given = Given(path=f"data/{name}.jsonl", at=at, size_bytes=at.stat().st_size)
            job.files.append(given)
        return reading.Reading.of(job)

    return found


def test_a_template_that_writes_without_end_is_stopped(chat):
    loops = (
        "{% for a in range(9999) %}{% for b in range(9999) %}aaaaaaaa{% endfor %}{% endfor %}"
    )

    with pytest.raises(Trouble) as trouble:
        chat(loops).render(ASKED, False)

    assert trouble.value.code == "template_too_long"


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'a' * 10**12 }}",
        "{{ 'a' * 999999999999 }}",
        "{{ 9**9**9**9 }}",
        "{{ messages.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{{ raise_exception.__globals__.os }}",
        "{{ cycler.__init__.__globals__.os }}",
        "{{ 1/0 }}",
        "{{ messages[7].content.x }}",
        "{% include '/etc/passwd' %}",
    ],
)
def test_what_a_template_must_not_do_is_refused_in_words(chat, template):
    with pytest.raises(BadTemplate):
        chat(template).render(ASKED, False)


def test_a_template_that_marks_answers_itself_is_followed(chat, read):
    """One that drops earlier thoughts hides where earlier answers begin, but for its marks."""
    marks = TEMPLATE.replace(
        "'<|' + message['role'] + '|>' + message['content'] }}",
        "'<|' + message['role'] + '|>' }}{% if message['role'] == 'assistant' %}"
        "{% generation %}{% if not loop.last %}{{ message['content'].split('/')[-1] }}"
        "{% else %}{{ message['content'] }}{% endif %}{% endgeneration %}"
        "{% else %}{{ message['content'] }}{% endif %}{{ '' }}",
    )
    turns = (
        ("user", "een"),
        ("assistant", "hm/twee"),
        ("user", "drie"),
        ("assistant", "ja/vier"),
    )
    talk = json.dumps({"messages": [{"role": who, "content": said} for who, said in turns]})
    (found,) = read(rows=talk + "\n").rows()

    pieces = split(found, chat(marks), every=True)

    learned = [part.text for part in pieces if part.learned]
    assert learned == [f"twee{END}", f"ja/vier{END}"]


def test_a_line_of_megabytes_is_named_and_the_rows_around_it_are_read(read):
    found = list(read(rows=row() + "x" * (3 * LINE_BYTES_MAX) + "\n" + row()).rows())

    (place, problem) = found[1]
    assert isinstance(problem, RowProblem)
    assert place.line == 2
    assert str(problem.sentence) == "Line 2 is longer than 1024 KiB; split the row."
    assert [one.place.line for one in (found[0], found[2])] == [1, 3]


def test_of_large_data_every_so_many_lines_keep_their_numbers(read, monkeypatch):
    lines = [row(f"vraag {number}") for number in range(1, 101)]
    monkeypatch.setattr(reading, "BYTES_MAX", len("".join(lines)) // 10 + 1)

    some = read(rows="".join(lines))

    asked = {one.place.line: one.row.prompt for one in some.rows()}
    assert some.every == 10
    assert asked == {number: f"vraag {number}" for number in range(1, 101, 10)}


def test_what_is_kept_apart_is_told_by_the_name_of_the_file(read):
    found = read(rows=row(), test=row())

    assert [(one.place.file, one.is_apart) for one in found.rows()] == [(0, False), (1, True)]


CALLING = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] | upper }}"
    "{% for call in message['tool_calls'] %}{{ call['function'] | tojson }}{% endfor %}"
    "{% if message['role'] == 'assistant' %}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
TOOLS = [{"type": "function", "function": {"name": "zoek", "parameters": {}}}]
CALL = {"name": "zoek", "arguments": {"wie": "mevrouw de Vries", "waar": "ASSEN"}}
CONVERSATION = [
    {"role": "user", "content": "Wie woont daar?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "c1", "type": "function", "function": CALL}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "NIETS"},
    {"role": "assistant", "content": "Tot ziens"},
]


class Words:
    """Cut a text at its spaces and signs, as tokenizers do."""

    def spans(self, text):
        return [one.span() for one in re.finditer(r"\w+|\W", text)]


@pytest.fixture
def told(chat, read):
    def text_of(*, hide, conversation=CONVERSATION, tools=TOOLS):
        made = chat(CALLING)
        raw = {"messages": conversation} | ({"tools": tools} if tools else {})
        (found,) = read(rows=json.dumps(raw) + "\n").rows()
        row = laid(
            found.row,
            split(found, made, every=False),
            Words(),
            hide=frozenset(hide),
            signs=signs.of_template(found.row, made) if hide else (),
        )
        row = shown(found, [row], why="first")
        return "".join(letters for run in row["runs"] for letters in run["tokens"])

    return text_of


def test_where_words_are_hidden_only_what_the_template_always_writes_is_shown(told):
    everybody = told(hide=["system", "user", "assistant", "tool"])

    assert re.sub("•+", "•", everybody) == (
        '<user>•<assistant>{"name": "•", "arguments": {"•": "•"}}<|end|><tool>•'
        "<assistant>•<|end|>"
    )


def test_words_of_others_are_shown_as_they_are_and_none_where_nothing_is_personal(told):
    others = told(hide=["user", "assistant"])
    nothing = told(hide=[])

    assert ("NIETS" in others, "TOT" in others, "Vries" in others) == (True, False, False)
    assert '"wie": "mevrouw de Vries"' in nothing


def test_a_template_that_cannot_write_a_row_that_says_nothing_shows_no_signs(chat, read):
    (found,) = read(rows=row("Jansen", "Ja")).rows()
    made = chat("{{ messages[0]['content'].split('s')[1] }}")

    assert signs.of_template(found.row, made) == ()


def test_of_several_templates_the_one_for_tools_is_taken_where_there_are_tools(chat):
    several = [
        {"name": "default", "template": "plain"},
        {"name": "tool_use", "template": "with tools"},
    ]

    made, alone = chat(several), chat(several[:1])

    assert made.render(ASKED, False) == "plain"
    assert made.render(ASKED, False, tools=[]) == "with tools"
    assert alone.render(ASKED, False, tools=[]) == "plain"

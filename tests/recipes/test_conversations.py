"""Conversations with several answers and calls of tools: what is read, and what is learned."""

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from fabriek_recipes.chat import BadTemplate, parts
from fabriek_recipes.conversations import Row
from fabriek_recipes.rows import RowProblem, read, read_questions
from fabriek_recipes.training.encoding import dress, encode, question
from fabriek_recipes.training.packing import IGNORED, batch
from fabriek_recipes.words import Failed
from tests.recipes.conftest import prepare, rows, write_rows

WEATHER = {
    "type": "function",
    "function": {"name": "weer", "parameters": {"type": "object", "properties": {}}},
}
# Written for these tests in the manner of well-known families of models.
CHATML = (
    "{% if tools %}<|im_start|>system\n{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}"
    "<|im_end|>\n{% endif %}{% for m in messages %}"
    "{% if m.role == 'tool' %}<|im_start|>user\n<tool_response>{{ m.content }}</tool_response>"
    "{% else %}<|im_start|>{{ m.role }}\n{{ m.content }}{% for c in m.tool_calls or [] %}"
    "<tool_call>{{ {'name': c.function.name, 'arguments': c.function.arguments} | tojson }}"
    "</tool_call>{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
HEADERS = (
    "{{ bos_token }}{% if tools %}<|start|>system<|stop|>\n\n{{ tools | tojson }}<|eot|>"
    "{% endif %}{% for m in messages %}<|start|>{{ 'ipython' if m.role == 'tool' else m.role }}"
    "<|stop|>\n\n{% if m.tool_calls %}{% for c in m.tool_calls %}"
    "{{ {'name': c.function.name, 'parameters': c.function.arguments} | tojson }}{% endfor %}"
    "{% else %}{{ m.content | trim }}{% endif %}<|eot|>{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant<|stop|>\n\n{% endif %}"
)
BRACKETS = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}"
    "{% if tools and loop.first %}[TOOLS]{{ tools | tojson }}[/TOOLS]{% endif %}"
    "[INST] {{ m.content }} [/INST]{% elif m.role == 'tool' %}"
    "[RESULT]{{ m.content }}[/RESULT]{% elif m.tool_calls %}[CALLS]"
    "{% for c in m.tool_calls %}{{ c.function | tojson }}{% endfor %}{{ eos_token }}"
    "{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
)
TURNS = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}"
    "{{ raise_exception('no system') }}{% endif %}<turn>"
    "{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content | trim }}"
    "{% if m.tool_calls %}{{ m.tool_calls | tojson }}{% endif %}<end>\n{% endfor %}"
    "{% if tools %}{% endif %}{% if add_generation_prompt %}<turn>model\n{% endif %}"
)
# The thought of an answer goes once a later one follows.
THINKS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' %}{% if loop.last %}<think></think>{% endif %}"
    "{{ m.content }}{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
MARKED = THINKS.replace(
    "{{ m.content }}{% else %}", "{% generation %}{{ m.content }}{% endgeneration %}{% else %}"
)
STYLES = {"chatml": CHATML, "headers": HEADERS, "brackets": BRACKETS, "turns": TURNS}


def said(role: str, content: str, **more: object) -> dict:
    return {"role": role, "content": content, **more}


def call(name: str = "weer", arguments: object = '{"plaats": "Ede"}', key: str = "c1") -> dict:
    return {"id": key, "type": "function", "function": {"name": name, "arguments": arguments}}


TALK = {
    "messages": [
        said("user", "Wie belt er?"),
        said("assistant", "De wijkzuster."),
        said("user", "En dan?"),
        said("assistant", "Zij komt langs."),
    ]
}
TOOLS = {
    "tools": [WEATHER],
    "messages": [
        said("user", "Is het glad?"),
        {"role": "assistant", "content": None, "tool_calls": [call()]},
        said("tool", "min twee", tool_call_id="c1"),
        said("assistant", "Ja, pas op."),
    ],
}


def row_of(raw: dict, folder: Path) -> Row:
    (found,) = read(write_rows(folder, [raw]) / "rows.jsonl")
    assert isinstance(found, Row), found
    return found


@pytest.fixture
def tokenizer(base) -> PreTrainedTokenizerBase:
    found = AutoTokenizer.from_pretrained(base)
    found.bos_token = "<|fill|>"
    return found


def learned(each, tokenizer) -> list[str]:
    """Give the texts that are learned, from the labels a step would have."""
    labels = batch([[each.example]], fill=0).labels_BT[0].tolist()
    texts, part = [], []
    for label in [*labels, IGNORED]:
        if label != IGNORED:
            part.append(label)
        elif part:
            texts.append(tokenizer.decode(part))
            part = []
    return texts


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("raw", [TALK, TOOLS], ids=["talk", "tools"])
def test_the_saved_model_is_asked_with_the_tokens_it_was_taught_with(
    tokenizer, tmp_path, style, raw
):
    tokenizer.chat_template = STYLES[style]
    row = row_of(raw, tmp_path)

    (encoded,) = encode([row], tokenizer)

    tokenizer.save_pretrained(tmp_path / "model")
    served = AutoTokenizer.from_pretrained(tmp_path / "model")
    asked = served.apply_chat_template(
        [message.told() for message in row.messages[:-1]],
        tools=raw.get("tools"),
        add_generation_prompt=True,
    )["input_ids"]
    assert encoded.prompt_ids == asked
    assert question(Row(1, row.messages[:-1], row.tools), served) == asked
    assert (tmp_path / "model" / "chat_template.jinja").read_text() == STYLES[style]


def test_every_answer_is_learned_and_nothing_else(tokenizer, tmp_path):
    tokenizer.chat_template = CHATML
    end = tokenizer.eos_token

    (talk,) = encode([row_of(TALK, tmp_path)], tokenizer)
    (tools,) = encode([row_of(TOOLS, tmp_path)], tokenizer)
    (last,) = encode([row_of(TALK, tmp_path)], tokenizer, every=False)

    assert learned(talk, tokenizer) == [
        "De wijkzuster.<|im_end|>",
        f"Zij komt langs.<|im_end|>{end}",
    ]
    assert learned(tools, tokenizer)[0] == (
        '<tool_call>{"name": "weer", "arguments": {"plaats": "Ede"}}</tool_call><|im_end|>'
    )
    assert learned(last, tokenizer) == [f"Zij komt langs.<|im_end|>{end}"]
    assert talk.example.ids.tolist() == last.example.ids.tolist()
    assert talk.example.learned == sum(
        label != IGNORED for label in batch([[talk.example]], 0).labels_BT[0].tolist()
    )


def test_what_the_assistant_says_before_any_question_is_not_learned(tokenizer, tmp_path):
    tokenizer.chat_template = CHATML
    greeted = {"messages": [said("assistant", "Hallo!"), *TALK["messages"]]}

    (encoded,) = encode([row_of(greeted, tmp_path)], tokenizer)

    assert len(learned(encoded, tokenizer)) == 2


@pytest.mark.parametrize("template", [CHATML, MARKED])
def test_an_answer_of_weight_0_is_read_and_not_learned(tokenizer, tmp_path, template):
    tokenizer.chat_template = template
    first, answer, *rest = TALK["messages"]
    made = {"messages": [first, {**answer, "weight": 0}, *rest]}

    (light,) = encode([row_of(made, tmp_path)], tokenizer)
    (whole,) = encode([row_of(TALK, tmp_path)], tokenizer)

    assert light.example.ids.tolist() == whole.example.ids.tolist()
    assert learned(light, tokenizer) == learned(whole, tokenizer)[1:]


@pytest.mark.parametrize(
    ("weight", "sentence"),
    [
        (0, "Line 1 ends with an answer of weight 0, to learn nothing; remove it."),
        (0.5, "Line 1 has a weight that is not 0 or 1; mend it."),
    ],
)
def test_a_weight_that_will_not_do_is_named_by_line(tmp_path, weight, sentence):
    *before, answer = TALK["messages"]
    made = {"messages": [*before, {**answer, "weight": weight}]}

    (found,) = read(write_rows(tmp_path, [made]) / "rows.jsonl")

    assert isinstance(found, RowProblem)
    assert str(found.sentence) == sentence


def test_a_template_that_changes_earlier_answers_is_refused_by_line(tokenizer, tmp_path):
    tokenizer.chat_template = THINKS
    row = row_of(TALK, tmp_path)

    with pytest.raises(Failed) as refusal:
        encode([row], tokenizer)

    assert str(refusal.value) == (
        "The base model's template changes earlier answers of line 1 once a later one follows; "
        "choose to learn from the last answer only."
    )
    (last,) = encode([row], tokenizer, every=False)
    assert learned(last, tokenizer)[0].startswith("<think></think>Zij komt")


def test_marks_in_the_template_say_what_the_assistant_says(tokenizer, tmp_path):
    tokenizer.chat_template = MARKED

    (encoded,) = encode([row_of(TALK, tmp_path)], tokenizer)

    assert learned(encoded, tokenizer) == [
        "De wijkzuster.",
        f"<think></think>Zij komt langs.<|im_end|>{tokenizer.eos_token}",
    ]


@pytest.mark.parametrize(
    ("template", "raw", "why"),
    [
        (TURNS, {"messages": [said("system", "Kort."), *TALK["messages"]]}, "no system"),
        (TURNS, TOOLS, "it leaves out the tool weer"),
        ("{{ messages[0].content }}", TALK, "it leaves out an answer"),
        ("{{ messages | length }}", TALK, "the answer does not follow the question"),
        ("{{ nothing.at.all }}", TALK, "'nothing' is undefined"),
    ],
)
def test_a_template_that_cannot_say_a_row_is_named_with_the_line(
    tokenizer, tmp_path, template, raw, why
):
    if raw is TOOLS:
        template = template.replace("{{ m.tool_calls | tojson }}", "")
    tokenizer.chat_template = template

    with pytest.raises(Failed) as refusal:
        encode([row_of(raw, tmp_path)], tokenizer)

    assert str(refusal.value) == (
        f"The base model's template cannot render line 1 ({why}); choose another."
    )


def test_a_token_over_the_edge_of_an_answer_belongs_to_the_question(tokenizer, tmp_path):
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m.content }}{% endfor %}"  # no signs between turns at all
    )
    row = row_of(TALK, tmp_path)

    (encoded,) = encode([row], tokenizer)

    before = [message.told() for message in row.messages[:-1]]
    asked = tokenizer.apply_chat_template(before, add_generation_prompt=True)["input_ids"]
    assert encoded.prompt_ids == asked
    assert "De wijkzuster.".endswith(learned(encoded, tokenizer)[0])


def test_light_parts_and_tokens_agree(tmp_path):
    row = row_of(TALK, tmp_path)

    found = parts(row, lambda said, _begins: "|".join(str(m["content"]) for m in said), "$")

    assert [(part.text, part.learned) for part in found] == [
        ("Wie belt er?", False),
        ("|De wijkzuster.", True),
        ("|En dan?", False),
        ("|Zij komt langs.$", True),
    ]
    with pytest.raises(BadTemplate):
        parts(row, lambda said, _begins: str(len(said)), "$")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"tools": []},
            "Line 2 calls “weer”, which is not in its list of tools; add it.",
        ),
        (
            {"tools": [{"type": "function"}]},
            "Line 2 has tools that are no list of functions; write "
            '[{"type": "function", "function": {"name": "…", "parameters": {}}}].',
        ),
        (
            {"call": call(arguments="{plaats: Ede}")},
            "In line 2 the arguments of “weer” are no JSON object; mend them.",
        ),
        (
            {"call": call(arguments='{"a": NaN}')},
            "In line 2 the arguments of “weer” are no JSON object; mend them.",
        ),
        (
            {"call": call(arguments='{"a": "\\ud800"}')},
            "In line 2 the arguments of “weer” are no JSON object; mend them.",
        ),
        (
            {"call": call(arguments="[1]")},
            "In line 2 the arguments of “weer” are no JSON object; mend them.",
        ),
        (
            {"call": call(key="c2")},
            "Line 2 has an answer by a tool to the call “c1”, which the assistant did not make "
            "just before; mend its tool_call_id.",
        ),
        (
            {"call": {"function": {"name": "weer"}}},
            "Line 2 has a call of a tool without an id or the name of a function; write "
            '{"id": "…", "type": "function", "function": {"name": "…", "arguments": "{}"}}.',
        ),
        (
            {"calls": [call(), call()]},
            "Line 2 has two calls with the id “c1”; give each its own.",
        ),
        (
            {"calls": [call(), call(key="c2")]},
            "In line 2 the call “c2” has no answer by a tool; add it.",
        ),
        ({"answer": 3}, "In line 2 content is not text; put it between quotes."),
        (
            {"calls": "weer"},
            "Line 2 has tool_calls that are no list of an assistant; mend them.",
        ),
    ],
)
def test_calls_that_do_not_fit_are_named_by_line(tmp_path, change, sentence):
    raw = json.loads(json.dumps(TOOLS))
    raw["tools"] = change.get("tools", raw["tools"])
    made = [change["call"]] if "call" in change else raw["messages"][1]["tool_calls"]
    raw["messages"][1]["tool_calls"] = change.get("calls", made)
    raw["messages"][2]["content"] = change.get("answer", "min twee")

    found = list(read(write_rows(tmp_path, [TALK, raw]) / "rows.jsonl"))

    assert isinstance(found[1], RowProblem)
    assert str(found[1].sentence) == sentence


def test_arguments_may_be_an_object_and_a_tool_may_say_nothing(tmp_path):
    raw = json.loads(json.dumps(TOOLS))
    raw["messages"][1]["tool_calls"] = [call(arguments={"plaats": "Ede"})]
    raw["messages"][2]["content"] = ""

    row = row_of(raw, tmp_path)

    assert row.messages[1].told() == {
        "role": "assistant",
        "content": "",
        "tool_calls": [call(arguments={"plaats": "Ede"})],
    }
    assert row.messages[2].told() == {
        "role": "tool",
        "content": "",
        "tool_call_id": "c1",
        "name": "weer",
    }


def test_questions_are_read_without_the_answer_that_ends_them(tmp_path):
    made = [{"prompt": "Wie?"}, TALK, {"messages": TALK["messages"][:3]}, {"text": "x"}]
    path = write_rows(tmp_path, made) / "rows.jsonl"

    found = list(read_questions(path))

    assert [len(row.messages) for row in found if isinstance(row, Row)] == [1, 3, 3]
    assert str(found[3].sentence) == (
        "Line 4 has neither a prompt nor messages; add what to answer."
    )


def test_the_conversation_in_the_documentation_is_one(tmp_path):
    told = (Path(__file__).parents[2] / "docs" / "use" / "language-models.md").read_text()
    block = told[told.index('    {"tools"') :]
    raw = json.loads(block[: block.index("\n\nOnly what")])

    row = row_of(raw, tmp_path)

    assert [message.role for message in row.messages] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert row.messages[2].calls[0].arguments == '{"place": "Ede"}'


QUICK = {"epochs": 1, "learning_rate": 0.01, "tokens_per_step": 256, "answer_tokens_max": 8}


def test_a_run_on_calls_of_tools_keeps_the_template_and_its_hash(tmp_path, base):
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = BRACKETS
    run = prepare(
        tmp_path / "run",
        "finetune_lm",
        {**QUICK, "tokens_per_row_max": 512},
        {"dataset": write_rows(tmp_path / "data", [TOOLS, TALK]), "model": base},
    )
    tokenizer.save_pretrained(run.folder / "inputs" / "model")
    # Rows with tools are longer than the tiny model can look back: it is given more.
    settings = run.folder / "inputs" / "model" / "config.json"
    told = json.loads(settings.read_text())
    settings.write_text(json.dumps({**told, "max_position_embeddings": 512}))

    assert run.start() == 0, run.events

    served = AutoTokenizer.from_pretrained(run.folder / "outputs" / "model")
    assert served.chat_template == BRACKETS
    assert run.report["chat_template_sha256"] == dress(served)
    assert run.report["answers_learned"] == "all"


def test_rows_too_long_are_named_by_line(tmp_path, base):
    long = {"prompt": "woord " * 60, "completion": "x"}
    data = write_rows(tmp_path / "data", [*rows(3), long, *rows(2), long])
    run = prepare(tmp_path / "run", "finetune_lm", QUICK, {"dataset": data, "model": base})

    assert run.start() == 0

    told = [event.fields for event in run.events if event.kind == "warning"]
    assert told[0]["text"] == (
        "2 rows are longer than 64 tokens and were left out (lines 4, 7)."
    )
    assert run.report["rows_left_out"] == 2


def test_when_no_row_fits_into_the_model_another_one_is_advised(tmp_path, base):
    data = write_rows(tmp_path / "data", [{"prompt": "woord " * 60, "completion": "x"}])
    run = prepare(tmp_path / "run", "finetune_lm", QUICK, {"dataset": data, "model": base})

    assert run.start() == 2

    assert run.failure == (
        "Every row is longer than the 64 tokens that this model can look at; shorten them or "
        "choose another model."
    )


def test_rows_that_are_all_alike_are_learned_from_and_none_is_kept_apart(tmp_path, base):
    data = write_rows(tmp_path / "data", rows(1) * 20)
    run = prepare(tmp_path / "run", "finetune_lm", QUICK, {"dataset": data, "model": base})

    assert run.start() == 0

    assert (run.report["rows_trained"], run.report["rows_held_out"]) == (20, 0)


def test_a_tokenizer_with_more_pieces_than_the_model_knows_is_refused(tmp_path, base, dataset):
    run = prepare(tmp_path / "run", "finetune_lm", QUICK, {"dataset": dataset, "model": base})
    place = run.folder / "inputs" / "model"
    tensors = load_file(place / "model.safetensors")
    tensors["model.embed_tokens.weight"] = tensors["model.embed_tokens.weight"][:200].clone()
    save_file(tensors, place / "model.safetensors", metadata={"format": "pt"})
    told = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps({**told, "vocab_size": 200}))

    assert run.start() == 2

    assert run.failure.startswith("The base model knows 200 pieces of words and its tokenizer")


def test_a_learning_rate_that_breaks_the_model_ends_in_a_sentence(tmp_path, base, dataset):
    run = prepare(
        tmp_path / "run",
        "finetune_lm",
        {**QUICK, "learning_rate": 10},
        {"dataset": dataset, "model": base},
    )

    assert run.start() == 2

    assert run.failure.startswith("The setting “learning_rate” cannot be used")

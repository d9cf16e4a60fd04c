"""What somebody sees of rows before a run, and what hostile files make of it: a sentence."""

import json
import re
import zlib
from dataclasses import dataclass
from io import BytesIO

import pyarrow as pa
import pytest
from pyarrow import parquet
from pydantic import ValidationError

from fabriek.datasets.models import Dataset
from fabriek.quality import parsed
from fabriek.quality.models import Look
from fabriek.quality.room import slot
from fabriek.quality.states import ErrandState
from fabriek.runs import behind_walls, counted, seen_words
from fabriek.runs.look import Looked
from fabriek.runs.models import Counted
from fabriek.runs.seen_shapes import SeenIn
from fabriek.store.models import Repository, Revision
from tests.factories import a_case, a_dataset, a_person, a_repository, an_allocation
from tests.runs import chats
from tests.runs.chats import model_files, row, some_rows

pytestmark = pytest.mark.django_db


@dataclass
class Seen:
    person: object
    case: object
    dataset: Dataset
    model: Repository
    browser: object

    def push(self, files, **model):
        chats.pushed(self.dataset.repository, files, self.person)
        chats.pushed(self.model, model_files(**model), self.person)

    def page(self, **asked):
        told = {"case": self.case.code, "recipe": "finetune_lm"}
        told |= {"dataset": self.dataset.code, "model": self.model.code} | asked
        return self.browser(self.person).get("/runs/rows", told)

    def text(self, **asked):
        answer = self.page(**asked)
        assert answer.status_code == 200, answer.content.decode()[:500]
        return text_of(answer)


@pytest.fixture
def at(browser):
    person = a_person()
    case = a_case(lead=person)
    an_allocation(case=case, gpu_seconds=36_000)
    dataset = a_dataset(case=case)
    Repository.objects.filter(pk=dataset.repository_id).update(code=dataset.code, title="Rows")
    dataset.repository.refresh_from_db()
    model = a_repository(case=case, kind="model", code="M26-7001", title="Tiny")
    return Seen(person=person, case=case, dataset=dataset, model=model, browser=browser)


def text_of(answer):
    plain = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return re.sub(r"\s+", " ", plain.replace("&quot;", '"').replace("&#x27;", "'"))


def tokens_of(answer, kind):
    """Give the words of runs of a kind, joined as they are read."""
    runs = answer.content.decode().split('<span class="seen__run ')
    return [
        "".join(re.findall(r'seen__token">([^<]*)', one))
        for one in runs
        if one.startswith(f'{kind}">')
    ]


# --- what is seen -----------------------------------------------------------------------------
def test_a_row_is_shown_as_the_model_reads_it_with_what_it_learns_from_marked(at):
    at.push({"rows.jsonl": some_rows(12)})

    answer = at.page()

    assert "Waar ligt het plein? 0" in tokens_of(answer, "seen__run--user")
    learned = tokens_of(answer, "seen__run--assistant seen__run--learned")
    assert "Bij de brug. 0" in learned
    assert "Line 1 of rows.jsonl" in text_of(answer)
    assert "All 12 rows have at most 512 tokens." in text_of(answer)


def test_of_a_conversation_only_the_last_answer_is_learned_when_that_is_chosen(at):
    talk = (
        '{"messages": [{"role": "user", "content": "een"}, {"role": "assistant", "content": '
        '"twee"}, {"role": "user", "content": "drie"}, {"role": "assistant", "content": '
        '"vier"}]}\n'
    )
    at.push({"rows.jsonl": talk})

    every, last = at.page(), at.page(answers_learned="last")

    kind = "seen__run--assistant seen__run--learned"
    assert tokens_of(every, kind)[1:] == ["twee", "vier"]  # the first stands in the legend
    assert tokens_of(last, kind)[1:] == ["vier"]
    assert Counted.objects.count() == 2


def test_what_is_odd_is_said_with_the_lines_where_it_stands(at):
    long = row("lang " * 600, "ja")
    at.push(
        {"rows.jsonl": some_rows(11) + row(f"{chats.ASKED} 3", f"{chats.ANSWERED} 3") + long}
    )

    page = at.text(tokens_per_row_max="64")

    assert (
        "1 row is the same as an earlier one: line 12 of rows.jsonl as line 4 of rows.jsonl."
        in page
    )
    assert "1 row has more than 64 tokens and is left out: line 13 of rows.jsonl." in page
    assert "12 of 13 rows have at most 64 tokens." in page
    assert (
        "1 row is longer than the 512 tokens that the base model can look at, and is left out: "
        "line 13 of rows.jsonl. Shorten it, or choose another base model." in at.text()
    )


def test_a_row_that_is_learned_and_scored_is_named_and_refuses_the_run(at, program):
    at.push(
        {
            "rows.jsonl": some_rows(12),
            "test.jsonl": row(f"{chats.ASKED.upper()}  3", f"{chats.ANSWERED} 3"),
        }
    )
    wish = {
        "case": at.case.code,
        "recipe": "finetune_lm",
        "inputs": {"dataset": at.dataset.code, "model": at.model.code},
    }

    page = at.text()
    refused = program(at.person).post("/api/runs/price", wish, content_type="application/json")

    assert "so the run is refused: line 1 of test.jsonl as line 4 of rows.jsonl." in page
    assert refused.status_code == 422
    assert "Line 4 of rows.jsonl is the same row as line 1 of test.jsonl" in refused.text


def test_a_wrong_line_is_named_and_the_others_are_counted(at):
    at.push({"rows.jsonl": some_rows(3) + "{\n" + some_rows(1)})

    page = at.text()

    assert "rows.jsonl: Line 4 is not valid JSON near character 2; mend or remove it." in page
    assert "Rows counted 4" in page


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("", "The file has no rows; put one JSON object on each line."),
        (row(), "The only row has at most 512 tokens."),
        (row() * 5, "4 rows are the same as an earlier one: line 2 of rows.jsonl"),
    ],
    ids=["an empty file", "one row", "all rows the same"],
)
def test_few_rows_are_no_trouble(at, rows, said):
    at.push({"rows.jsonl": rows})

    assert said in at.text()


def test_what_was_counted_is_kept_and_corrects_the_price(at):
    at.push({"rows.jsonl": "".join(row("x" * 400 + str(n), "ja") for n in range(20))})
    asked = f"/runs/new?case={at.case.code}&recipe=finetune_lm"
    before = text_of(at.browser(at.person).get(asked))

    at.text()
    at.text()
    after = text_of(at.browser(at.person).get(asked))

    assert "The tokens are guessed from the size of the files." in before
    assert re.search(r"counted with the model's own tokenizer: 4\d\d in a row", after)
    kept = Counted.objects.get()
    revisions = (kept.dataset, kept.model)
    assert counted.find(*revisions, way="chat-2-all").rows == 20


@pytest.mark.parametrize(
    ("config", "asked", "said"),
    [
        (
            {"vocab_size": 90},
            {},
            "The base model knows 90 pieces of words and its tokenizer uses number 91: they "
            "do not belong together. Take the tokenizer that came with the model.",
        ),
        (
            {"max_position_embeddings": 16},
            {},
            "Every row is longer than the 16 tokens that this model can look at; shorten them "
            "or choose another model.",
        ),
        (
            {},
            {"tokens_per_row_max": "32"},
            "Every row is longer than 32 tokens; shorten them or raise “Longest row”.",
        ),
    ],
    ids=["another tokenizer", "beyond the context", "beyond the longest row"],
)
def test_what_the_run_would_refuse_is_said_by_the_look_and_refused_in_the_form(
    at, program, config, asked, said
):
    rows = {"rows.jsonl": "".join(row("x" * 40 + str(n), "ja") for n in range(20))}
    at.push(rows, config__json=json.dumps({"model_type": "llama"} | config))
    wish = {
        "case": at.case.code,
        "recipe": "finetune_lm",
        "inputs": {"dataset": at.dataset.code, "model": at.model.code},
        "knobs": {name: int(value) for name, value in asked.items()},
    }
    form = {f"knob_{name}": value for name, value in asked.items()}

    page = at.text(**asked)
    form |= {"case": at.case.code, "recipe": "finetune_lm"}
    priced = text_of(at.browser(at.person).get("/runs/new", form))
    refused = program(at.person).post("/api/runs/price", wish, content_type="application/json")

    assert said in page
    assert "and are left out:" not in page
    assert said in priced
    assert (refused.status_code, refused.json()["detail"]) == (422, said)


def test_a_form_that_is_sent_leads_to_an_address_of_its_own(at):
    at.push({"rows.jsonl": some_rows(2)})
    form = {
        "input_dataset": f"{at.dataset.code}@1",
        "input_model": f"{at.model.code}@1",
        "knob_tokens_per_row_max": "64",
        "knob_epochs": "3",
    }

    answer = at.browser(at.person).post(
        f"/runs/rows?case={at.case.code}&recipe=finetune_lm", form
    )

    assert answer.status_code == 302
    assert answer.url == (
        f"/runs/rows?case={at.case.code}&recipe=finetune_lm&dataset={at.dataset.code}%401"
        f"&model={at.model.code}%401&tokens_per_row_max=64&knob_epochs=3"
        "&knob_tokens_per_row_max=64"
    )


def test_the_way_back_leads_to_the_form_as_it_was(at):
    at.push({"rows.jsonl": some_rows(2)})
    client = at.browser(at.person)
    form = {
        "input_dataset": f"{at.dataset.code}@1",
        "input_model": f"{at.model.code}@1",
        "knob_tokens_per_row_max": "64",
        "knob_epochs": "3",
        "seed": "7",
        "gpus": "x",
    }

    looked = client.post(f"/runs/rows?case={at.case.code}&recipe=finetune_lm", form)
    at.push({"rows.jsonl": some_rows(3)})  # a newer revision, by somebody else
    page = client.get(looked.url)
    back = client.get(page.context["back"]).context["form"]
    gone = client.get(page.context["back"].replace("%401", "%409")).context["form"]

    assert back["input_dataset"].value() == f"{at.dataset.code}@1"
    assert back["input_model"].value() == f"{at.model.code}@1"
    assert (back["knob_tokens_per_row_max"].value(), back["seed"].value()) == ("64", "7")
    assert back["knob_epochs"].value() == "3"
    assert back["gpus"].value() == 1
    assert gone["input_dataset"].value() == f"{at.dataset.code}@2"


def test_the_rows_of_a_recipe_that_makes_its_own_tokens_are_shown_as_they_are(at):
    at.push({"rows.jsonl": some_rows(3)})

    page = at.text(recipe="classify_text", model="")

    assert "The first rows" in page
    assert "makes its own tokens while it runs" in page
    assert "Waar ligt het plein? 0" in page


def test_files_that_no_page_opens_are_shown_as_the_look_shows_them(at, monkeypatch):
    monkeypatch.setattr(parsed, "WAIT_S", 240)  # a busy machine is slow, not wrong
    made = BytesIO()
    rows = [{"tekst": f"vraag {n}", "naam": "Jan", "label": "a"} for n in range(3)]
    parquet.write_table(pa.Table.from_pylist(rows), made)
    picture = zlib.compress(b"")  # no browser draws it: only its place is shown
    at.push({"a.parquet": made.getvalue(), "a.png": picture})

    page = at.text(recipe="classify_text", model="")
    assert "These files are shown once somebody has looked at the data." in page
    dataset = at.browser(at.person).get(at.dataset.get_absolute_url()).content.decode()
    assert f'href="/data/{at.dataset.code}/look/1/"' in dataset
    assert "vraag 0" not in page + dataset

    columns = [{"name": name} for name in rows[0]]
    a_look(
        at,
        files=[{"path": "a.parquet", "kind": "parquet", "columns": columns}],
        findings=[finding("naam")],
        image={"count": 1},
    )
    page = at.text(recipe="classify_text", model="")
    assert ("vraag 2" in page, "Jan" in page, "•••" in page) == (True, False, True)
    assert "a.png" in page


def test_the_page_speaks_dutch(at):
    at.push({"rows.jsonl": some_rows(2)})

    page = text_of(
        at.browser(at.person, "nl").get(
            "/runs/rows",
            {
                "case": at.case.code,
                "recipe": "finetune_lm",
                "dataset": at.dataset.code,
                "model": at.model.code,
            },
        )
    )

    assert "Wat het model te zien krijgt" in page


def test_a_box_that_is_not_ticked_stays_so_on_the_way_back(at):
    at.push({"rows.jsonl": some_rows(2)})
    asked = f"case={at.case.code}&recipe=classify_images"
    client = at.browser(at.person)

    sent = client.post(f"/runs/rows?{asked}", {"seed": "1"})
    ticked = client.post(f"/runs/rows?{asked}", {"seed": "1", "knob_mirrored": "on"})
    forms = [client.get(f"/runs/new?{asked}&knob_mirrored={one}") for one in ("off", "on")]

    assert "knob_mirrored=off" in sent.url
    assert "knob_mirrored=on" in ticked.url
    assert [one.context["form"]["knob_mirrored"].value() for one in forms] == [False, True]


# --- who sees it ------------------------------------------------------------------------------
def test_a_stranger_sees_nothing_and_nothing_is_counted(at):
    at.push({"rows.jsonl": some_rows(2)})
    stranger = a_person()
    theirs = a_case(lead=stranger)

    of_the_case = at.browser(stranger).get(
        "/runs/rows", {"case": at.case.code, "recipe": "finetune_lm"}
    )
    of_their_own = at.browser(stranger).get(
        "/runs/rows",
        {
            "case": theirs.code,
            "recipe": "finetune_lm",
            "dataset": at.dataset.code,
            "model": at.model.code,
        },
    )

    assert of_the_case.status_code == 404
    assert of_their_own.status_code == 422
    assert "plein" not in of_their_own.content.decode()
    assert Counted.objects.count() == 0


def test_who_may_train_on_data_but_not_read_it_sees_numbers_only(at, monkeypatch):
    at.push({"rows.jsonl": some_rows(12)})
    monkeypatch.setattr("fabriek.runs.look._may_see_words", lambda *_: False)

    first, again = at.text(), at.text()

    for page in (first, again):
        assert "lets you train on them, not read them" in page
        assert "All 12 rows" in page
        assert "plein" not in page


CALLED = (
    '{"messages": [{"role": "user", "content": "x"},'
    ' {"role": "tool", "tool_call_id": "mevrouw de Vries", "content": "y"}]}\n'
)


@pytest.mark.parametrize("what", ["may not be read", "is personal", "may be read"])
def test_words_of_a_wrong_line_are_for_who_sees_words_only(at, monkeypatch, what):
    at.push({"rows.jsonl": some_rows(2) + CALLED})
    if what == "may not be read":
        monkeypatch.setattr("fabriek.runs.look._may_see_words", lambda *_: False)
    if what == "is personal":
        monkeypatch.setattr("fabriek.runs.look._hidden", lambda _revision: ["user"])

    page = at.text()

    assert "Line 3 has an answer by a tool to the call" in page
    assert ("de Vries" in page) == (what == "may be read")


@pytest.mark.parametrize(
    ("msgid", "values"),
    [
        ("%(a)300000000s", {"a": "x"}),
        ("%(a)d", {"a": "y"}),
        ("%", {}),
        ("%(a).9999999s", {}),
        ("Jansen, diagnose F32", {}),
    ],
)
def test_what_is_no_sentence_of_a_recipe_is_no_answer_of_the_worker(at, msgid, values):
    told = counted_of([[0, 1, msgid, values]])

    with pytest.raises(ValidationError):
        SeenIn.model_validate({"count": told})


@pytest.mark.parametrize("values", [{"a": "x"}, {"msgid": "y"}, {"b": float("inf")}, {}])
def test_a_sentence_that_does_not_fit_its_values_is_said_in_other_words(at, values):
    empty = "%(file)s: In line %(line)s %(name)s is empty; fill it."
    told = SeenIn.model_validate({"count": counted_of([[0, 1, empty, values]])})
    at.push({"rows.jsonl": some_rows(1)})
    looked = Looked(
        dataset=Revision.objects.first(), model=None, files=["rows.jsonl"], count=told.count
    )

    (said,) = [one.text for one in seen_words.remarks(looked)]

    assert said == (
        "rows.jsonl: There is something about the data that only who may read these can be "
        "told."
    )


def counted_of(problems):
    none = {"count": 0, "places": []}
    zeros = dict.fromkeys(("rows", "tokens", "tokens_apart", "learned"), 0)
    empty = {name: [] for name in ("lengths", "lengths_apart", "longest", "picks")}
    pairs = dict.fromkeys(("doubles", "leaks", "asked_again"), none)
    told = zeros | empty | pairs | {"every": 1, "is_cut_short": False}
    return told | {"problem_count": len(problems), "problems": problems}


def finding(column):
    told = {"column": column, "path": "rows.jsonl", "kind": "name", "count": 3, "rows": [1]}
    return told | {"by": "names", "is_estimate": False}


def a_look(at, **result):
    revision = Revision.objects.get(repository=at.dataset.repository)
    done = ErrandState.DONE
    Look.objects.create(dataset=at.dataset, revision=revision, state=done, result=result)


def test_words_of_a_column_with_personal_data_are_hidden(at):
    at.push({"rows.jsonl": some_rows(12)})
    a_look(at, findings=[finding("prompt")])

    answer = at.page()

    assert "Waar" not in answer.content.decode()
    assert "Bij de brug. 0" in tokens_of(answer, "seen__run--assistant seen__run--learned")
    assert "Words that hold personal data are hidden here" in text_of(answer)


def test_an_address_of_somebody_is_hidden_anywhere(at):
    at.push({"rows.jsonl": row("Mail jan@voorbeeld.nl daarover", "Gedaan.")})

    answer = at.page()

    assert "voorbeeld" not in answer.content.decode()
    assert re.search(r"Mail •+ daarover", "".join(tokens_of(answer, "seen__run--user")))


# --- for programs -----------------------------------------------------------------------------
def test_programs_get_the_same_with_numbers(at, program):
    at.push({"rows.jsonl": some_rows(12)})
    wish = {
        "case": at.case.code,
        "recipe": "finetune_lm",
        "inputs": {"dataset": at.dataset.code, "model": at.model.code},
    }

    told = program(at.person).post("/api/runs/rows", wish, content_type="application/json")
    cost = program(at.person).post("/api/runs/price", wish, content_type="application/json")

    found = told.json()
    assert (found["count"], found["every"], found["longest_used"]) == (12, 1, 512)
    assert found["tokens"] == sum(size * rows for size, rows in found["lengths"])
    assert found["rows"][0]["runs"][1]["role"] == "user"
    assert "".join(found["rows"][0]["runs"][1]["tokens"]) == "Waar ligt het plein? 0"
    price = cost.json()
    assert price["energy_wh"] == round(price["gpu_seconds"] * 65 / 3600)
    assert price["gpu_seconds_left_held"] == 36_000 - price["gpu_seconds_held"]


def test_a_run_that_does_not_fit_is_told_which_setting_to_turn(at, program, settings):
    settings.GPU_MEMORY_GB = 0.7
    at.push({"rows.jsonl": some_rows(12)})
    wish = {
        "case": at.case.code,
        "recipe": "finetune_lm",
        "knobs": {"tokens_per_step": 1_048_576},
        "inputs": {"dataset": at.dataset.code, "model": at.model.code},
    }

    cost = program(at.person).post("/api/runs/price", wish, content_type="application/json")

    assert cost.json()["memory_note"] == (
        "It needs about 3.7 GB of memory and this machine has 700 MB. Lower “Tokens per "
        "step” to 65,536."
    )


# --- hostile files ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"template": "{% for x in"}, "is no template"),
        ({"template": "{{ ''.__class__.__mro__ }}"}, "cannot render this row"),
        ({"template": "{{ raise_exception('alleen Engels') }}"}, "(alleen Engels)"),
        ({"tokenizer__json": "{}"}, "The tokenizer.json of the base model cannot be read."),
        ({"tokenizer__json": "[" * 200_000}, "The tokenizer.json of the base model cannot"),
        ({"tokenizer_config__json": "[" * 200_000}, "settings of the base model's tokenizer"),
    ],
    ids=["broken", "internals", "refusing", "empty", "nested", "settings"],
)
def test_hostile_files_of_a_model_give_a_sentence(at, files, said):
    at.push({"rows.jsonl": row()}, **files)

    page = at.text()

    assert said in page
    assert "Something must be mended before this run can start." in page


def test_a_template_that_does_not_end_is_stopped(at, monkeypatch):
    monkeypatch.setattr(behind_walls, "WORK_S", 1)
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    at.push({"rows.jsonl": row()}, template=loop)

    assert "It took too long, so it was stopped" in at.text()


def test_when_too_many_look_at_once_the_next_waits(at, settings):
    settings.LOOK_WORKERS = 1
    at.push({"rows.jsonl": row()})
    settings.LOOKS_HOME.mkdir()

    with slot(settings.LOOKS_HOME):
        answer = at.page()

    assert answer.status_code == 409
    assert "Rows of others are being counted at this moment." in text_of(answer)


def test_nothing_is_left_on_disk(at, settings):
    at.push({"rows.jsonl": row()})

    at.text()

    assert [path.name for path in settings.LOOKS_HOME.iterdir()] == [".slot-0"]

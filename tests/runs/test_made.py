"""What a run wrote for people: who gets it, and what is never opened."""

import json

import pytest

from fabriek.kernel.errors import Invalid
from fabriek.runs import actions
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek_recipes import evaluation
from fabriek_recipes.evaluation import Evaluation, Score, Worst
from tests.agreements.policy_world import an_agreement
from tests.answers import put_away
from tests.factories import a_case, a_person, a_repository, a_run, a_token
from tests.runs.world import a_text, pushed, rows

pytestmark = pytest.mark.django_db

LINE = json.dumps({"messages": [], "line": 1}) + "\n"
NAME = "part-00000.jsonl"


def answered(world, *, revision=None, state=RunState.SUCCEEDED, **fields) -> Run:
    run = a_run(
        allocation=world.allocation,
        recipe=fields.pop("recipe", "batch_predict"),
        state=state,
        **fields,
    )
    run.inputs.create(name="dataset", revision=revision or world.revision)
    place = run.folder / "outputs" / "answers"
    place.mkdir(parents=True)
    (place / NAME).write_text(LINE)
    (place / NAME).chmod(0o644)
    return run


@pytest.fixture
def lent(world):
    """Give data of others that this case may work on in the factory, and not take away."""
    owner = a_person()
    revision = a_text(a_case(lead=owner), owner)
    an_agreement(revision.repository, world.case, place="shared", product="model_api")
    return revision


def test_what_was_written_stands_on_the_page_and_is_had_as_a_file(world, browser):
    run = answered(world)
    client = browser(world.person)

    page = client.get(run.get_absolute_url())
    got = client.get(f"/runs/{run.code}/made/{NAME}")

    assert "What it wrote" in page.content.decode()
    assert f'href="/runs/{run.code}/made/{NAME}"' in page.content.decode()
    assert got["Content-Disposition"] == f'attachment; filename="{run.code}-{NAME}"'
    assert b"".join(got.streaming_content) == LINE.encode()
    put_away(got)


def test_programs_get_the_list_and_the_file(world, client):
    run = answered(world)
    headers = {"Authorization": f"Bearer {a_token(world.person)}"}

    listed = client.get(f"/api/runs/{run.code}/made", headers=headers)
    got = client.get(f"/api/runs/{run.code}/made/{NAME}", headers=headers)

    assert listed.json() == {
        "items": [{"name": NAME, "size_bytes": len(LINE)}],
        "later": 0,
        "are_too_many": False,
    }
    assert b"".join(got.streaming_content) == LINE.encode()
    put_away(got)


def test_many_files_are_listed_page_by_page_whatever_else_lies_there(world, browser, client):
    run = answered(world)
    place = run.folder / "outputs" / "answers"
    for number in range(205):
        (place / f"part-{number:05d}.jsonl").touch(mode=0o644)
    (place / "junk").touch()
    headers = {"Authorization": f"Bearer {a_token(world.person)}"}

    listed = [
        client.get(f"/api/runs/{run.code}/made?page={page}", headers=headers).json()
        for page in (1, 3, 4, -1, 10**9)
    ]
    page = browser(world.person).get(f"{run.get_absolute_url()}?made=2").content.decode()

    assert [len(one["items"]) for one in listed] == [100, 5, 0, 0, 0]
    assert [one["later"] for one in listed] == [2, 0, 0, 0, 0]
    assert listed[1]["items"][-1]["name"] == "part-00204.jsonl"
    assert "part-00100.jsonl" in page
    assert 'href="?made=1#made"' in page
    assert 'href="?made=3#made"' in page


def test_a_stranger_does_not_even_hear_that_it_wrote_anything(world, browser):
    run = answered(world)

    answer = browser(a_person()).get(f"/runs/{run.code}/made/{NAME}")

    assert answer.status_code == 404


def test_who_may_not_read_the_rows_does_not_get_answers_to_them(world, browser, lent):
    run = answered(world, revision=lent)

    answer = browser(world.person).get(f"/runs/{run.code}/made/{NAME}")

    assert answer.status_code == 403


@pytest.mark.parametrize("name", ["report.json", "..%2Freport.json", "part-1.jsonl", "x"])
def test_no_other_file_is_ever_opened(world, browser, name):
    run = answered(world)
    (run.folder / "outputs" / "report.json").write_text("{}")

    assert browser(world.person).get(f"/runs/{run.code}/made/{name}").status_code == 404


def test_a_link_that_a_job_left_is_not_followed(world, browser, tmp_path):
    run = answered(world)
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (run.folder / "outputs" / "answers" / "part-00001.jsonl").symlink_to(secret)

    answer = browser(world.person).get(f"/runs/{run.code}/made/part-00001.jsonl")

    assert answer.status_code == 404


def test_nothing_is_had_of_a_run_that_is_still_writing(world, browser):
    run = answered(world, state=RunState.RUNNING)
    client = browser(world.person)

    page = client.get(run.get_absolute_url())

    assert "What it wrote" not in page.content.decode()
    assert client.get(f"/runs/{run.code}/made/{NAME}").status_code == 404


def scored(run: Run) -> None:
    worst = Worst(row="3", truth="ja", said="nee", distance=1, shown="Iets van een ander")
    found = Evaluation(
        rows=9,
        scores=[
            Score(name="urgentie: accuracy", value=0.5, low=0.2, high=0.8),
            Score(name="urgentie: accuracy_difference", value=0.1, low=-0.1, high=0.2),
        ],
        worst=[worst],
        best=[worst],
    )
    evaluation.save(run.folder, found)
    (run.folder / "outputs" / "evaluation.json").chmod(0o644)


def test_a_run_that_scores_shows_its_scores_and_is_no_failed_model(world, browser):
    scores = {"urgentie: accuracy": 0.5, "urgentie: accuracy_difference": 0.1}
    run = answered(world, recipe="evaluate", scores=scores)
    scored(run)

    page = browser(world.person).get(run.get_absolute_url()).content.decode()

    assert "urgentie: Rows with the right label" in page
    assert "first model less the second" in page
    assert "50.0%" in page
    assert "20.0% and 80.0%" in page
    assert page.count("Iets van een ander") == 2


def test_single_rows_are_shown_to_those_who_may_read_them(world, browser, lent):
    run = answered(world, revision=lent, recipe="evaluate", scores={"accuracy": 0.5})
    scored(run)

    page = browser(world.person).get(run.get_absolute_url()).content.decode()

    assert "50.0%" in page
    assert "Iets van een ander" not in page


HEADER = '{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}'
WEIGHTS = f"{chr(len(HEADER))}{chr(0) * 7}{HEADER}{chr(0) * 24}"
MODEL = {"config.json": "{}", "tokenizer.json": "{}", "model.safetensors": WEIGHTS}


@pytest.fixture
def asked(world):
    """Give rows and two models of the case, to score them on."""
    data = a_repository(case=world.case, code="D26-8001", title="Rows")
    made = {"dataset": pushed(data, {"rows.jsonl": rows(("Wie?", "Ik"))}, world.person)}
    for number, name in enumerate(("model", "model_b")):
        model = a_repository(
            case=world.case, kind="model", code=f"M26-800{number}", title=f"Model {number}"
        )
        made[name] = pushed(model, MODEL, world.person)
    return made


def test_a_second_model_is_offered_and_never_chosen_for_somebody(world, browser, asked):
    address = f"/runs/new?case={world.case.code}&recipe=evaluate"

    form = browser(world.person).get(address).context["form"]

    assert form["input_model"].value() == "M26-8001@1"
    assert form["input_model_b"].value() == ""
    assert not form.fields["input_model_b"].required


def test_one_model_or_two_are_priced_and_asked_for(world, asked):
    alone = {name: asked[name] for name in ("dataset", "model")}

    one, two = (
        world.ask(recipe="evaluate", knobs={}, inputs=inputs) for inputs in (alone, asked)
    )

    assert [run.inputs.count() for run in (one, two)] == [2, 3]
    assert 0 < one.gpu_seconds_estimated <= two.gpu_seconds_estimated


@pytest.mark.parametrize("recipe", ["evaluate", "batch_predict", "prefer_lm"])
def test_rows_that_will_not_do_are_refused_before_anything_is_held(world, asked, recipe):
    bad = pushed(asked["dataset"].repository, {"rows.jsonl": '{"text": "x"}\n'}, world.person)

    with pytest.raises(Invalid) as refusal:
        world.ask(recipe=recipe, knobs={}, inputs={"dataset": bad, "model": asked["model"]})

    assert str(refusal.value).startswith("Line 1 ")
    assert world.held() == 0


RARE = (
    "Label “%(name)s” stands in %(count)s of %(rows)s rows: look at its own scores, as a high "
    "accuracy says little of it."
)
WARNING = {
    "code": "rare_label",
    "text": "Label “hiv-positief” stands in 3 of 90 rows",
    "msgid": RARE,
    "values": {"name": "hiv-positief", "count": 3, "rows": 90},
}
FAILURE = {
    "code": "bad_row",
    "text": "text.txt: mevrouw de Vries",
    "msgid": "%(file)s: In line %(line)s %(name)s is empty; fill it.",
    "values": {"file": "text.txt", "line": 3, "name": "mevrouw de Vries"},
}
WITHOUT_TEMPLATE = {"code": "x", "text": "mevrouw de Vries"}
# What a program says that files have taken over: no words of ours, or places for its own.
TAKEN_OVER = [
    {"msgid": "mevrouw de Vries", "values": {}},
    {"msgid": "In %(file)s:", "values": {"file": "mevrouw de Vries"}},
    {"msgid": "In %(file)s:", "values": {}, "text": "mevrouw de Vries"},
]


@pytest.mark.parametrize("is_lent", [True, False])
def test_warnings_and_failures_quote_rows_to_who_may_read_them(
    world, browser, program, lent, is_lent
):
    run = answered(
        world,
        revision=lent if is_lent else world.revision,
        state=RunState.FAILED,
        warnings=[WARNING, WITHOUT_TEMPLATE, *TAKEN_OVER],
        failure=FAILURE,
    )

    page = browser(world.person).get(run.get_absolute_url()).content.decode()
    told = program(world.person).get(f"/api/runs/{run.code}").content.decode()

    for answer in (page, told):
        assert ("hiv-positief" in answer) == (not is_lent)
        assert ("de Vries" in answer) == (not is_lent)
        assert ("stands in 3 of 90 rows" in answer, "text.txt: " in answer) == (True, True)
        assert ("left out here: you may not read them" in answer) == is_lent


TOOL = {"role": "tool", "tool_call_id": "mevrouw de Vries", "content": "y"}


@pytest.mark.parametrize("is_lent", [True, False])
def test_what_is_wrong_with_rows_is_said_in_their_words_to_who_may_read_them(
    world, asked, lent, is_lent
):
    wrong = json.dumps({"messages": [{"role": "user", "content": "x"}, TOOL]}) + "\n"
    revision = lent if is_lent else asked["dataset"]
    to_score = {"purposes": ["evaluation"], "product": "statistics"}
    an_agreement(lent.repository, world.case, place="shared", **to_score)
    bad = pushed(revision.repository, {"rows.jsonl": wrong}, world.person)
    wish = world.wish(
        recipe="evaluate", knobs={}, inputs={"dataset": bad, "model": asked["model"]}
    )

    with pytest.raises(Invalid) as refusal:
        actions.price_for(wish, case=world.case, by=world.person)

    assert "Line 1 has an answer by a tool" in str(refusal.value)
    assert ("de Vries" in str(refusal.value)) == (not is_lent)

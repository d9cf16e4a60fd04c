"""Where answers go: chosen, refused at once, told on pages and to programs, saved after all."""

import json
import os
import subprocess
import sys

import pytest
from pytest_django.live_server_helper import LiveServer

from fabriek.datasets.models import Dataset
from fabriek.kernel.errors import Invalid, NotAllowed, WrongState
from fabriek.runs import actions, first_answers, saved, saved_in, saving
from fabriek.runs.destinations import Destination
from fabriek.runs.models import Run
from fabriek.runs.saved_in import SavedIn
from fabriek.runs.states import RunState
from fabriek.store.models import Repository
from tests.agreements.policy_world import an_agreement
from tests.factories import (
    a_case,
    a_dataset,
    a_person,
    a_repository,
    a_run,
    a_token,
    staff,
)
from tests.runs.test_made import MODEL
from tests.runs.test_saving import answered, destination
from tests.runs.world import a_text, a_world, pushed, rows

pytestmark = pytest.mark.django_db


# --- refused when it is asked for ----------------------------------------------------------
@pytest.fixture
def asked(world):
    data = a_repository(case=world.case, code="D26-8201", title="Rows")
    model = a_repository(case=world.case, kind="model", code="M26-8201", title="Model")
    return {
        "dataset": pushed(data, {"rows.jsonl": rows(("Wie?", "Ik"))}, world.person),
        "model": pushed(model, MODEL, world.person),
    }


def ask(world, inputs, to, **more):
    return world.ask(recipe="batch_predict", knobs={}, inputs=inputs, saved_in=to, **more)


def test_the_choice_is_kept_with_the_run_and_with_one_that_goes_on(world, asked):
    dataset = a_dataset(case=world.case)
    run = ask(world, asked, SavedIn(dataset=dataset))
    Run.objects.filter(pk=run.pk).update(state=RunState.FAILED)
    (run.folder / "checkpoints" / "parts-1").mkdir(parents=True)
    run.refresh_from_db()

    onward = actions.go_on(run, by=world.person)

    assert [destination(one).dataset for one in (run, onward)] == [dataset, dataset]


def test_a_dry_run_saves_nothing(world):
    run = a_run(allocation=world.allocation, recipe="batch_predict", is_dry=True)

    saved_in.write(run, SavedIn())

    assert not Destination.objects.exists()


def test_a_dataset_of_another_case_and_none_are_alike_unknown(world):
    theirs = a_dataset()
    said = []
    for code in (theirs.code, "D26-9999"):
        with pytest.raises(Invalid) as refusal:
            saved_in.read(world.case, code)
        said.append(str(refusal.value).replace(code, "X"))

    assert said[0] == said[1]
    assert said[0].startswith(f"{world.case.code} has no dataset X.")


def test_what_could_not_be_saved_is_refused_before_anything_is_held(world, asked):
    open_to_all = a_dataset(case=world.case)
    Repository.objects.filter(pk=open_to_all.repository_id).update(is_open=True)
    of_others, wrong = a_dataset(), "a\x00b"
    told = a_dataset(case=world.case, has_personal_data=True)
    revision = pushed(told.repository, {"rows.jsonl": rows(("Wie?", "Ik"))}, world.person)
    plain = a_dataset(case=world.case)
    tries = [
        (asked, SavedIn(dataset=open_to_all), "is open to everybody"),
        (asked, SavedIn(dataset=of_others), "has no dataset"),
        (asked, SavedIn(title=wrong), "cannot be shown"),
        (asked, SavedIn(title="x" * 201), "longer than 200 characters"),
        (asked | {"dataset": revision}, SavedIn(dataset=plain), "hold personal data"),
    ]

    for inputs, to, said in tries:
        with pytest.raises(Invalid) as refusal:
            ask(world, inputs, to)
        assert said in str(refusal.value)
    with pytest.raises(Invalid) as refusal:
        world.ask(saved_in=SavedIn())

    assert "writes no answers" in str(refusal.value)
    assert world.held() == 0


def test_the_form_asks_where_answers_go_and_says_what_will_not_do(world, browser, asked):
    address = f"/runs/new?case={world.case.code}&recipe=batch_predict"
    client = browser(world.person)
    dataset = a_dataset(case=world.case)
    a_dataset(title="Not ours")
    form = client.get(address).context["form"]
    given = {
        name: field.value() if field.value() is not None else ""
        for name, field in ((field.html_name, field) for field in form)
    }

    refused = client.post(address, given | {"answers_title": "x" * 201})
    answer = client.post(address, given | {"answers_to": dataset.code})

    choices = [code for code, _label in form.fields["answers_to"].choices]
    assert choices == ["new", dataset.code, ""]
    assert form["answers_to"].value() == "new"
    assert refused.status_code == 422
    assert answer.status_code == 302, answer.content
    assert destination(Run.objects.get()).dataset == dataset
    other = client.get(f"/runs/new?case={world.case.code}&recipe=pretrain_lm")
    assert "answers_to" not in other.context["form"].fields


def test_programs_choose_it_and_are_told_what_came_of_it(world, program, asked):
    client = program(world.person)
    wish = {
        "case": world.case.code,
        "recipe": "batch_predict",
        "inputs": {"dataset": "D26-8201", "model": "M26-8201"},
        "answers_to": "new",
        "answers_title": "By program",
    }

    def post(body):
        return client.post("/api/runs/", json.dumps(body), content_type="application/json")

    refused = post(wish | {"answers_to": "D26-9999"})
    made = post(wish).json()

    assert (refused.status_code, refused.json()["code"]) == (422, "no_such_dataset")
    assert made["answers"] == {
        "dataset": "",
        "revision": None,
        "sentence": "When the run has ended well, its answers become a new dataset of the "
        "case.",
        "settled": False,
    }


def test_who_may_not_save_hears_it_at_once(world, program):
    run = answered(world, to=None)
    body = json.dumps({"answers_to": "new"})

    stranger = program(a_person()).post(
        f"/api/runs/{run.code}/answers", body, content_type="application/json"
    )
    with pytest.raises(NotAllowed):
        saved_in.keep(run, SavedIn(), by=a_person())

    assert stranger.status_code == 404
    assert not Destination.objects.exists()


def test_answers_are_saved_after_all_by_the_page_and_only_once(world, browser):
    run = answered(world, to=None)
    client = browser(world.person)
    page = client.get(run.get_absolute_url()).content.decode()
    assert f'href="/runs/{run.code}/save"' in page
    assert client.get(f"/runs/{run.code}/save").status_code == 200
    wrong = client.post(
        f"/runs/{run.code}/save", {"answers_to": "new", "answers_title": "\x07"}
    )

    client.post(f"/runs/{run.code}/save", {"answers_to": "new", "answers_title": "Late"})
    saving.tick()

    assert wrong.status_code == 422
    assert Dataset.objects.get().title == "Late"
    with pytest.raises(WrongState):
        saved_in.keep(run, SavedIn(), by=world.person)
    page = client.get(run.get_absolute_url()).content.decode()
    assert f'href="/runs/{run.code}/save"' not in page
    assert f"saved in {Dataset.objects.get().code}, as revision 1" in page
    assert browser(a_person()).get(f"/runs/{run.code}/save").status_code == 404


@pytest.mark.parametrize("recipe", ["evaluate", "finetune_lm"])
def test_of_other_runs_there_is_nothing_to_save(world, recipe):
    run = answered(world, to=None)
    run.recipe = recipe
    run.save()

    with pytest.raises(Invalid):
        saved_in.keep(run, SavedIn(), by=world.person)


# --- where it comes from -------------------------------------------------------------------
def test_the_page_of_the_dataset_names_the_run_its_model_and_its_data(world, browser, asked):
    run = answered(world, to=SavedIn(), revision=asked["dataset"])
    run.inputs.create(name="model", revision=asked["model"])
    saving.tick()
    dataset = destination(run).dataset

    page = browser(world.person).get(dataset.get_absolute_url()).content.decode()

    assert f"answers of {run.code}" in page
    assert "D26-8201@1, M26-8201@1" in page
    assert saved.made_by(dataset, a_person()) == []
    address = f"/api/datasets/{dataset.code}/origin"
    assert browser(a_person()).get(address).status_code == 404
    told = browser(world.person).get(address).json()
    (maker,) = told.pop("runs")
    assert told == {"agreements": [], "agreements_of_others": 0}
    assert (maker["run"], maker["revision"]) == (run.code, 1)
    assert maker["inputs"] == ["D26-8201@1", "M26-8201@1"]


@pytest.mark.parametrize("count", [1, 3])
def test_origins_cost_the_same_for_1_and_3(world, django_assert_num_queries, count):
    dataset = a_dataset(case=world.case)
    for _ in range(count):
        answered(world, to=SavedIn(dataset=dataset))
        saving.tick()

    # Whether they take part, the runs, and what these worked on.
    with django_assert_num_queries(3):
        told = saved.made_by(dataset, world.person)

    assert len(told) == count


READS = """
import sys
from datasets import load_dataset
found = load_dataset(sys.argv[1], split="train")
print(found.num_rows, [row["line"] for row in found], found[0]["messages"][-1]["content"])
"""


@pytest.fixture
def portal(transactional_db, settings):
    server = LiveServer("127.0.0.1:0")
    settings.FACTORY_URL = server.url
    yield server
    server.stop()


@pytest.mark.slow
def test_load_dataset_reads_the_answers(portal, tmp_path):
    world = a_world()
    run = answered(world, to=SavedIn(title="answers"))
    saving.tick()
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment = plain | {
        "HF_ENDPOINT": portal.url,
        "HF_TOKEN": a_token(world.person),
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    }
    name = destination(run).dataset.repository.repo_id

    done = subprocess.run(
        [sys.executable, "-c", READS, name],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "4 [1, 2, 3, 4] Ik\n"


# --- the first answers -----------------------------------------------------------------------
def test_the_page_shows_the_first_answers_to_who_may_read_the_rows(world, browser):
    run = answered(world, to=None)

    page = browser(world.person).get(run.get_absolute_url()).content.decode()

    assert "The first answers" in page
    assert [one.asked for one in first_answers.shown(run, world.person)] == ["Wie 1?", "Wie 2?"]
    assert "Wie 1?" not in browser(staff()).get(run.get_absolute_url()).content.decode()


def test_answers_to_rows_of_others_are_not_shown_on_the_page(world):
    owner = a_person()
    revision = a_text(a_case(lead=owner), owner)
    an_agreement(revision.repository, world.case, purposes=["evaluation"])
    run = answered(world, to=None, revision=revision)

    assert first_answers.shown(run, world.person) == ()


@pytest.mark.parametrize(
    "line", ["[]", "x", '{"messages": 3}', '{"messages": []}', "[" * 9_000, '{"messages": [3]}']
)
def test_what_a_job_wrote_instead_of_answers_breaks_no_page(world, browser, line):
    run = answered(world, to=None)
    (run.folder / "outputs/answers/part-00000.jsonl").write_text(f"{line}\n{'x' * 300_000}")

    assert browser(world.person).get(run.get_absolute_url()).status_code == 200

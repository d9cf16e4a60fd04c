"""Searches for programs: the same checks, the same steps, the same refusals."""

from uuid import uuid4

import pytest

from fabriek.sweeps.models import Sweep
from tests.factories import a_case, a_person, an_allocation, staff
from tests.sweeps.searching import HOUR, again, begun, searched

pytestmark = pytest.mark.django_db

JSON = "application/json"


def wish(world, **changes):
    return {
        "case": world.case.code,
        "recipe": "pretrain_lm",
        "knobs": {"size": "tiny"},
        "inputs": {"dataset": f"{world.revision.repository.code}@1"},
        "gpu_seconds_budget": 20 * HOUR,
    } | changes


def test_a_program_looks_at_the_price_starts_and_follows(world, engine, program):
    client = program(world.person)
    asked = wish(world, trials=4, halving=2, wish_id=str(uuid4()))

    price = client.post("/api/sweeps/price", asked, JSON).json()
    made = client.post("/api/sweeps/", asked, JSON)
    same = client.post("/api/sweeps/", asked, JSON)
    over = searched(engine, Sweep.objects.get())
    shown = client.get(f"/api/sweeps/{over.code}").json()
    kept = client.post(f"/api/sweeps/{over.code}/keep")

    assert price["trials"] == 4
    assert [one["trials"] for one in price["rounds"]] == [4, 2]
    assert price["gpu_seconds_left_least"] == 80 * HOUR
    assert (made.status_code, same.json()["code"]) == (201, made.json()["code"])
    assert shown["state"] == "done"
    assert len(shown["trials_tried"]) == 6
    assert shown["winner"] in {1, 2, 3, 4}
    assert [step["name"] for step in shown["next_steps"]] == ["keep"]
    assert kept.json() == {"run": again(over).winner_run.code}


def test_it_tells_what_can_be_searched(world, program):
    items = program(world.person).get("/api/sweeps/recipes").json()["items"]

    found = {one["recipe"]: one for one in items}
    assert found["tabular"]["goes_on"] is False
    assert found["finetune_lm"]["goes_on"] is True
    rates = [one for one in found["finetune_lm"]["ranges"] if one["name"] == "learning_rate"]
    assert rates[0] | {"choices": []} == {
        "name": "learning_rate",
        "kind": "number",
        "low": 2e-05,
        "high": 0.002,
        "log": True,
        "choices": [],
    }


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"recipe": "evaluate"}, "nothing_to_search"),
        ({"recipe": "nothing"}, "unknown_recipe"),
        ({"gpu_seconds_budget": 0}, "bad_budget"),
        ({"gpu_seconds_budget": -5}, "bad_budget"),
        ({"gpu_seconds_budget": 10**15}, "bad_budget"),
        ({"gpu_seconds_budget": 30, "trials": 2}, "small_budget"),
        ({"trials": 101}, "bad_number"),
        ({"at_once": 0}, "bad_number"),
        ({"halving": 7}, "bad_halving"),
        ({"score": "happiness"}, "bad_score"),
        ({"ranges": [{"name": "held_out_percent", "low": 1, "high": 5}]}, "bad_range"),
        ({"ranges": [{"name": "vocabulary"}]}, "bad_range"),
        ({"ranges": [{"name": "learning_rate"}] * 2}, "bad_range"),
        ({"ranges": [{"name": "learning_rate", "low": 0.001, "high": 7}]}, "bad_range"),
        ({"ranges": [{"name": "epochs", "low": 1.5, "high": 3}]}, "bad_range"),
        ({"ranges": [{"name": "size", "choices": ["vast"]}]}, "bad_range"),
        ({"ranges": [{"name": "learning_rate", "choices": ["a"]}]}, "bad_range"),
        ({"knobs": {"size": "vast"}}, "invalid"),
        ({"inputs": {}}, "input_missing"),
        ({"gpus": 0}, "invalid"),
    ],
)
@pytest.mark.parametrize("path", ["/api/sweeps/price", "/api/sweeps/"])
def test_what_is_wrong_is_refused_by_its_code_and_nothing_begins(
    world, program, changes, code, path
):
    answer = program(world.person).post(path, wish(world, **changes), JSON)

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert not Sweep.objects.exists()


def test_what_does_not_exist_and_what_is_of_others_are_answered_alike(world, program):
    sweep = begun(world)
    stranger = a_person()
    a_case(lead=stranger)
    client = program(stranger)

    answers = [
        client.get(f"/api/sweeps/{sweep.code}"),
        client.get("/api/sweeps/S26-9999"),
        client.post(f"/api/sweeps/{sweep.code}/stop"),
        client.post(f"/api/sweeps/{sweep.code}/go-on"),
        client.post(f"/api/sweeps/{sweep.code}/keep"),
        client.post("/api/sweeps/", wish(world), JSON),
        client.post("/api/sweeps/price", wish(world), JSON),
    ]

    assert {(one.status_code, one.json()["code"]) for one in answers} == {(404, "not_found")}
    assert client.get("/api/sweeps/").json()["items"] == []
    assert again(sweep).state == "running"


def test_data_of_others_is_refused_as_for_a_run(world, program):
    stranger = a_person()
    case = a_case(lead=stranger)
    an_allocation(case=case, gpu_seconds=100 * HOUR)
    asked = wish(world, case=case.code)
    unknown = wish(world, case=case.code, inputs={"dataset": "D26-99999@1"})

    answer = program(stranger).post("/api/sweeps/", asked, JSON)
    none = program(stranger).post("/api/sweeps/", unknown, JSON)

    assert (answer.status_code, answer.json()["code"]) == (
        none.status_code,
        none.json()["code"],
    )
    assert answer.status_code >= 400
    assert not Sweep.objects.exists()


def test_staff_see_it_from_outside(world, engine, program):
    over = searched(engine, begun(world, trials=2))

    shown = program(staff()).get(f"/api/sweeps/{over.code}").json()

    assert (shown["state"], shown["trials_tried"], shown["knobs"]) == ("done", [], {})
    assert shown["gpu_seconds_spent"] is None


def test_the_list_is_that_of_a_case(world, program):
    sweep = begun(world)

    listed = program(world.person).get(f"/api/sweeps/?case={world.case.code}").json()["items"]
    none = program(world.person).get("/api/sweeps/?case=C26-9999").json()["items"]

    whole = program(world.person).get(f"/api/sweeps/{sweep.code}").json()
    assert listed == [{name: whole[name] for name in listed[0]}]
    assert none == []

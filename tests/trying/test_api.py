"""Trying a model for programs: the same actions, the same refusals, the same privacy."""

import pytest

from fabriek.runs.models import Run
from fabriek.trying import exchange
from tests.factories import a_person, staff
from tests.trying.world import again, answered

pytestmark = pytest.mark.django_db
JSON = "application/json"


def test_a_program_begins_asks_reads_and_ends(world, program):
    client = program(world.member)

    begun = client.post("/api/try/", {"model": world.model.code, "minutes": 5}, JSON)
    run = Run.objects.get(recipe="try_model")
    opened = world.opened()  # the same session, ready
    asked = client.post(f"/api/try/{run.code}/ask", {"prompt": "Wie?"}, JSON)
    answered(run, 1, model="Jansen", base="?")
    told = client.get(f"/api/try/{run.code}")
    ended = client.post(f"/api/try/{run.code}/end")

    assert (begun.status_code, begun.json()["phase"]) == (201, "waiting")
    assert opened == run
    assert (asked.status_code, asked.json()) == (202, {"number": 1})
    (turn,) = told.json()["turns"]
    assert {one["side"]: one["text"] for one in turn["answers"]} == {
        "model": "Jansen",
        "base": "?",
    }
    assert "no-store" in told["Cache-Control"]
    assert ended.status_code == 200
    assert again(run).cancel_asked_at is not None


def test_stopping_an_answer(world, program):
    run = world.opened()
    client = program(world.member)
    client.post(f"/api/try/{run.code}/ask", {"prompt": "Wie?"}, JSON)

    answer = client.post(f"/api/try/{run.code}/stop")

    assert answer.status_code == 204
    assert exchange.read(run).stopped == {1}


def test_what_cannot_be_asked_is_told_by_field(world, program):
    run = world.opened()

    answer = program(world.member).post(f"/api/try/{run.code}/ask", {"prompt": " "}, JSON)

    assert (answer.status_code, answer.json()["fields"]) == (
        422,
        {"prompt": "Type a question."},
    )


@pytest.mark.parametrize("who", ["lead", "staff", "stranger"])
def test_nobody_else_finds_it(world, program, who):
    run = world.opened()
    other = {"lead": world.lead, "staff": staff(), "stranger": a_person()}[who]
    client = program(other)

    def asked(code):
        return [
            client.get(f"/api/try/{code}"),
            client.post(f"/api/try/{code}/ask", {"prompt": "Wie?"}, JSON),
            client.post(f"/api/try/{code}/stop"),
            client.post(f"/api/try/{code}/end"),
        ]

    theirs, none = asked(run.code), asked("R26-9999")

    assert [one.status_code for one in theirs] == [404] * 4
    assert [one.json() for one in theirs] == [one.json() for one in none]
    assert exchange.read(run).questions == []


def test_a_token_that_may_only_look_asks_nothing(world, program):
    run = world.opened()
    client = program(world.member, scope="read")

    asked = client.post(f"/api/try/{run.code}/ask", {"prompt": "Wie?"}, JSON)
    begun = client.post("/api/try/", {"model": world.model.code}, JSON)

    assert (asked.status_code, begun.status_code) == (403, 403)


def test_a_model_and_hours_that_are_not_theirs_are_not_found(world, program):
    stranger = program(a_person())
    ours = program(world.member)

    model = stranger.post("/api/try/", {"model": world.model.code}, JSON)
    poor = stranger.post("/api/try/", {"model": world.base.code}, JSON)
    hours = ours.post("/api/try/", {"model": world.model.code, "allocation": "nobody"}, JSON)

    assert (model.status_code, poor.json()["code"], hours.status_code) == (
        404,
        "no_allocation",
        404,
    )


def test_the_door_for_recipes_does_not_begin_a_session(world, program):
    wish = {
        "case": world.case.code,
        "recipe": "try_model",
        "inputs": {"model": world.model.code},
    }

    answer = program(world.member).post("/api/runs/", wish, JSON)
    recipes = program(world.member).get("/api/runs/recipes").json()["items"]

    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_recipe")
    assert "try_model" not in [one["name"] for one in recipes]


def test_the_number_of_somebody_elses_session_gives_it_to_nobody(world, program):
    """The number of the wish is that of the run, which all of the case can read."""
    run = world.opened()
    program(world.member).post(f"/api/try/{run.code}/ask", {"prompt": "A secret?"}, JSON)
    answered(run, 1, model="Secret.", base="?")
    number = run.key.removeprefix("fabriek-")

    taken = program(world.lead).post(
        "/api/try/", {"model": world.model.code, "wish_id": number}, JSON
    )

    assert (taken.status_code, taken.json()["code"]) == (422, "wish_id_used")
    assert "Secret" not in taken.text

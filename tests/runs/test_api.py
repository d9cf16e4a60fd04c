"""The same as the pages, for programs."""

import pytest

from fabriek.engines.base import Phase, Sighting
from fabriek.runs.models import Metric, Run
from fabriek_recipes.recipe import catalogue
from tests.factories import a_person, a_run, an_allocation, staff
from tests.runs.world import a_world, passes, pushed, seen_again

pytestmark = pytest.mark.django_db


def wanted(world, **changes):
    return {
        "case": world.case.code,
        "recipe": "pretrain_lm",
        "knobs": {"size": "tiny"},
        "inputs": {"dataset": world.revision.repository.code},
    } | changes


def sent(client, address, body=None):
    return client.post(address, body or {}, content_type="application/json")


def test_recipes_come_with_their_schema_in_the_readers_language(world, program, monkeypatch):
    monkeypatch.setattr("fabriek.runs.own_code.is_offered", lambda: True)
    english = program(world.person).get("/api/runs/recipes").json()["items"]
    dutch = program(world.person, language="nl").get("/api/runs/recipes").json()["items"]

    assert [one["name"] for one in english] == list(catalogue())
    assert [i["name"] for i in english[0]["inputs"]] == ["dataset", "model"]
    place = list(catalogue()).index("pretrain_lm")
    knob = english[place]["knobs"]["properties"]["epochs"]
    assert (knob["title"], knob["minimum"], knob["maximum"], knob["unit"]) == (
        "Passes over the text",
        1,
        100,
        "passes",
    )
    assert dutch[place]["knobs"]["properties"]["epochs"]["title"] == "Rondes door de tekst"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", {"lora": "A small addition (LoRA)", "full": "Every weight"}),
        ("nl", {"lora": "Een kleine toevoeging (LoRA)", "full": "Alle gewichten"}),
    ],
)
def test_what_one_chooses_from_keeps_its_code_and_gets_words(world, program, language, said):
    answer = program(world.person, language=language).get("/api/runs/recipes").json()

    knob = answer["items"][0]["knobs"]["properties"]["method"]
    assert (knob["enum"], knob["default"], knob["labels"]) == (["lora", "full"], "lora", said)


def test_a_price_is_asked_without_starting(world, program):
    answer = sent(program(world.person), "/api/runs/price", wanted(world))

    price = answer.json()
    assert answer.status_code == 200
    assert price["gpu_seconds_held"] == price["timeout_s"] == 600
    assert price["gpu_seconds_left"] == 36_000
    assert 0 < price["gpu_seconds"] < 600
    assert len(price["why"]) == 6
    assert Run.objects.count() == 0


def test_a_run_is_started_on_the_allocation_that_ends_first(world, program):
    later = an_allocation(case=world.case, gpu_seconds=7_200)
    type(later).objects.filter(pk=later.pk).update(ends_on=later.ends_on.replace(year=2099))

    answer = sent(program(world.person), "/api/runs/", wanted(world, seed=3))

    run = answer.json()
    assert answer.status_code == 201
    assert (run["allocation"], run["state"], run["seed"]) == (
        world.allocation.account,
        "waiting",
        3,
    )
    assert run["inputs"] == {"dataset": f"{world.revision.repository.code}@1"}
    assert [step["name"] for step in run["next_steps"]] == ["cancel"]


def test_an_allocation_can_be_named_and_must_be_of_the_case(world, program):
    second = an_allocation(case=world.case)
    client = program(world.person)

    mine = sent(client, "/api/runs/", wanted(world, allocation=second.account))
    theirs = sent(client, "/api/runs/", wanted(world, allocation=an_allocation().account))

    assert mine.json()["allocation"] == second.account
    assert theirs.status_code == 404
    assert Run.objects.count() == 1


def test_an_older_revision_can_be_named(world, program):
    repository = world.revision.repository
    pushed(repository, {"more.txt": "Meer tekst."}, world.person)

    answer = sent(
        program(world.person),
        "/api/runs/",
        wanted(world, inputs={"dataset": f"{repository.code}@1"}),
    )

    assert Run.objects.get(code=answer.json()["code"]).inputs.get().revision == world.revision


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"case": "C26-9999"}, 404, "not_found"),
        ({"recipe": "nothing"}, 422, "unknown_recipe"),
        ({"knobs": {"epochs": 0}}, 422, "invalid"),
        ({"inputs": {}}, 422, "input_missing"),
        ({"inputs": {"dataset": "D26-0"}}, 422, "unknown_input"),
        ({"inputs": {"sound": "D26-0"}}, 422, "unknown_input"),
        ({"gpus": 1000, "timeout_s": 600}, 409, "not_enough"),
    ],
)
def test_what_will_not_do_is_refused_in_words(world, program, changes, status, code):
    answer = sent(program(world.person), "/api/runs/", wanted(world, **changes))

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (Run.objects.count(), world.held()) == (0, 0)


def test_a_case_without_gpu_hours_is_told_so(world, program):
    type(world.allocation).objects.update(gpu_seconds_expired=36_000)

    answer = sent(program(world.person), "/api/runs/", wanted(world))

    assert (answer.status_code, answer.json()["code"]) == (409, "no_allocation")


def test_strangers_and_staff_start_nothing(world, program):
    assert sent(program(a_person()), "/api/runs/", wanted(world)).status_code == 404
    assert sent(program(staff()), "/api/runs/", wanted(world)).status_code == 403
    assert Run.objects.count() == 0


def test_a_token_that_may_only_look_starts_nothing(world, program):
    answer = sent(program(world.person, scope="read"), "/api/runs/", wanted(world))

    assert (answer.status_code, answer.json()["code"]) == (403, "token_scope")


def test_lists_keep_to_a_case_and_a_state(world, program):
    mine = a_run(allocation=world.allocation, state="failed")
    a_run(allocation=world.allocation, state="succeeded")
    a_run(state="failed")
    client = program(world.person)

    failed = client.get("/api/runs/?state=failed").json()
    of_case = client.get(f"/api/runs/?case={world.case.code}&size=1").json()

    assert [run["code"] for run in failed["items"]] == [mine.code]
    assert (of_case["count"], of_case["size"], len(of_case["items"])) == (2, 1, 1)


# A first page that holds all needs no counting.
@pytest.mark.parametrize(("number", "counting"), [(1, 0), (30, 1)])
def test_the_list_costs_the_same_for_any_number(
    world, program, number, counting, django_assert_num_queries
):
    for _ in range(number):
        a_run(allocation=world.allocation)
    client = program(world.person)
    client.get("/api/runs/")  # the first use of a token in a day is noted

    with django_assert_num_queries(3 + counting):  # token, cases, rows
        client.get("/api/runs/")


def test_staff_see_state_and_bill_and_nothing_inside(world, program, engine):
    run = world.ask(knobs={"size": "small"})
    passes(engine)
    (run.folder / "log").write_text("secret\n")
    client = program(staff())

    found = client.get(f"/api/runs/{run.code}").json()

    assert (found["state"], found["gpu_seconds_held"]) == ("queued", run.gpu_seconds_held)
    assert (found["knobs"], found["inputs"], found["seed"]) == (None, None, None)
    assert client.get(f"/api/runs/{run.code}/log").status_code == 404
    assert client.get(f"/api/runs/{run.code}/metrics").status_code == 404


def test_a_log_can_be_followed(world, program, engine):
    run = world.ask()
    passes(engine)
    log = run.folder / "log"
    log.write_text("één\ntwee\nhalf")
    client = program(world.person)
    address = f"/api/runs/{run.code}/log"

    first = client.get(address).json()
    again = client.get(f"{address}?offset={first['next_offset']}").json()
    engine.move(run.key, Sighting(Phase.SUCCEEDED, 9, exit_code=0))
    passes(engine)
    last = client.get(f"{address}?offset={first['next_offset']}").json()

    assert (first["text"], first["next_offset"], first["is_over"]) == ("één\ntwee\n", 11, False)
    assert (again["text"], again["next_offset"]) == ("", 11)
    assert (last["text"], last["next_offset"], last["is_over"]) == ("half", 15, True)


@pytest.mark.parametrize("offset", ["-5", "99999999999999999999", "12"])
def test_any_offset_is_answered(world, program, offset):
    run = world.ask()

    answer = program(world.person).get(f"/api/runs/{run.code}/log?offset={offset}")

    assert (answer.status_code, answer.json()["text"]) == (200, "")


def test_figures_are_thinned_to_some_three_hundred_points(world, program):
    run = a_run(allocation=world.allocation)
    Metric.objects.bulk_create(
        Metric(run=run, name=name, step=n, value=n, at=run.asked_at)
        for name in ("loss", "learning_rate")
        for n in range(1, 2001)
    )

    found = program(world.person).get(f"/api/runs/{run.code}/metrics?name=loss").json()

    assert found["names"] == ["learning_rate", "loss"]
    assert len(found["points"]) == 286
    assert found["points"][-1] == {"step": 2000, "value": 2000.0}


def test_a_run_is_stopped_and_continued(world, program, engine):
    run = world.ask()
    client = program(world.person)
    stopped = sent(client, f"/api/runs/{run.code}/cancel")
    assert (stopped.status_code, stopped.json()["cancel_asked_at"] is None) == (200, False)
    passes(engine)
    assert sent(client, f"/api/runs/{run.code}/cancel").status_code == 409
    assert sent(client, f"/api/runs/{run.code}/continue").status_code == 409
    (run.folder / "checkpoints" / "step-1").mkdir(parents=True)

    onward = sent(client, f"/api/runs/{run.code}/continue")

    assert (onward.status_code, onward.json()["continues"]) == (201, run.code)
    again = sent(client, f"/api/runs/{run.code}/continue")
    assert (again.status_code, again.json()["code"]) == (201, onward.json()["code"])
    assert seen_again(run).state == "cancelled"


def test_a_run_that_failed_says_why(world, program):
    run = a_run(allocation=world.allocation, state="failed", reason="out_of_memory")

    found = program(world.person).get(f"/api/runs/{run.code}").json()

    assert found["reason"] == "out_of_memory"
    assert found["reason_sentence"].startswith("There was too little memory.")


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Your run is second in the queue."),
        ("nl", "Uw run is de tweede in de rij."),
    ],
)
def test_a_run_that_waits_says_where_and_why(world, program, engine, language, said):
    run = world.ask()
    passes(engine)
    engine.move(run.key, Sighting(Phase.QUEUED, 0, "Priority", queue_position=2))
    passes(engine)

    found = program(world.person, language=language).get(f"/api/runs/{run.code}").json()

    assert (found["queue_position"], found["waiting_reason"], found["waiting"]) == (
        2,
        "Priority",
        said,
    )


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("Priority", "The run goes on by itself. You can stop it."),
        ("JobHeldUser", "The run does not start by itself. You can stop it."),
    ],
)
def test_the_next_step_is_true_of_a_run_that_waits(world, program, reason, said):
    run = a_run(allocation=world.allocation, state="queued", waiting_reason=reason)

    found = program(world.person).get(f"/api/runs/{run.code}").json()

    assert [step["sentence"] for step in found["next_steps"]] == [said]


def test_runs_of_others_do_not_exist(program):
    other = a_world().ask()
    client = program(a_person())

    for address in ("", "/log", "/metrics"):
        assert client.get(f"/api/runs/{other.code}{address}").status_code == 404
    for step in ("cancel", "continue"):
        assert sent(client, f"/api/runs/{other.code}/{step}").status_code == 404

"""Asking for a run, stopping it, continuing it: who may, when, twice, and two at once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fabriek.cases import actions as cases
from fabriek.cases.models import Case
from fabriek.cases.states import CaseState
from fabriek.engines.base import Phase, Sighting
from fabriek.kernel.errors import Invalid, NotAllowed, NotEnough, WrongState
from fabriek.kernel.models import Entry
from fabriek.runs import actions, folders, rules
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from tests.factories import a_case, a_partner, a_person, a_run, an_organisation, staff
from tests.runs.world import a_text, a_world, passes, pushed, rows, seen_again

pytestmark = pytest.mark.django_db


def names(person, run):
    return [step.name for step in rules.next_steps(person, run)]


# --- the end of the case ---------------------------------------------------------------------
@pytest.mark.parametrize("step", ["close", "withdraw"])
def test_a_case_does_not_end_while_a_run_of_it_goes_on(world, browser, step):
    run = world.ask()
    end = getattr(cases, step)
    client, address = browser(world.person), f"/cases/{world.case.code}/{step}"

    with pytest.raises(WrongState) as refused:
        end(world.case, by=world.person)

    assert refused.value.code == "goes_on"
    assert run.code in str(refused.value)
    assert run.code in client.get(address).text
    assert Case.objects.get(pk=world.case.pk).state == CaseState.OPEN
    Run.objects.filter(pk=run.pk).update(state=RunState.LOST)
    assert run.code not in client.get(address).text
    end(world.case, by=world.person)


def test_a_case_that_ended_a_moment_ago_gets_no_run(world):
    Case.objects.filter(pk=world.case.pk).update(state=CaseState.CLOSED)
    assert world.allocation.case.state == CaseState.OPEN  # as it was read before

    with pytest.raises(WrongState):
        world.ask()

    assert (Run.objects.count(), world.held()) == (0, 0)


# --- asking ----------------------------------------------------------------------------------
def test_a_run_keeps_what_was_asked_and_holds_what_it_may_use(world):
    run = world.ask(knobs={"size": "tiny", "epochs": 5}, gpus=2, seed=9)

    assert (run.case, run.state, run.asked_by) == (world.case, RunState.WAITING, world.person)
    assert (run.knobs["epochs"], run.knobs["vocabulary"], run.seed) == (5, 4096, 9)
    assert run.inputs.get().revision == world.revision
    assert run.gpu_seconds_held == 2 * run.timeout_s == world.held()
    assert run.code == f"R{timezone.localdate():%y}-{run.pk:04d}"


def test_a_wish_sent_twice_is_one_run(world):
    wish = world.wish()

    first = actions.ask(wish, allocation=world.allocation, by=world.person)
    again = actions.ask(wish, allocation=world.allocation, by=world.person)

    assert again == first
    assert world.held() == first.gpu_seconds_held
    assert Entry.objects.filter(verb="runs.ask").count() == 1


def test_an_accepted_partner_may_run_too(world):
    partner = a_person()
    a_partner(world.case, organisation=an_organisation(member=partner))

    run = actions.ask(world.wish(), allocation=world.allocation, by=partner)

    assert run.asked_by == partner


@pytest.mark.parametrize("stranger", [a_person, staff])
def test_who_is_not_of_the_consortium_runs_nothing(world, stranger):
    with pytest.raises(NotAllowed):
        actions.ask(world.wish(), allocation=world.allocation, by=stranger())

    assert (Run.objects.count(), world.held()) == (0, 0)


def test_nothing_runs_for_a_case_that_is_closed(world):
    type(world.case).objects.update(state=CaseState.CLOSED)
    world.allocation.refresh_from_db()

    with pytest.raises(WrongState):
        world.ask()

    assert (Run.objects.count(), world.held()) == (0, 0)


def test_data_of_another_case_is_refused(world):
    stranger = a_person()
    secret = a_text(a_case(lead=stranger), stranger)

    with pytest.raises(Invalid) as refusal:
        world.ask(inputs={"dataset": secret})

    assert refusal.value.code == "input_of_another_case"
    assert (Run.objects.count(), world.held()) == (0, 0)


def test_open_data_of_another_case_may_be_used(world):
    stranger = a_person()
    shared = a_text(a_case(lead=stranger), stranger, is_open=True)

    assert world.ask(inputs={"dataset": shared}).inputs.get().revision == shared


def test_no_run_can_spend_what_is_not_left():
    world = a_world(gpu_seconds=1_000)
    world.ask(timeout_s=600)

    with pytest.raises(NotEnough):
        world.ask(timeout_s=600)

    assert (Run.objects.count(), world.held()) == (1, 600)


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"recipe": "nothing"}, "unknown_recipe", None),
        ({"knobs": {"epochs": 0}}, "invalid", "epochs"),
        ({"knobs": {"epochs": 2.5}}, "invalid", "epochs"),
        ({"knobs": {"colour": "red"}}, "invalid", "colour"),
        ({"inputs": {}}, "input_missing", "dataset"),
        ({"gpus": 0}, "invalid", "gpus"),
        ({"gpus": 5000}, "invalid", "gpus"),
        ({"seed": -1}, "invalid", "seed"),
        ({"timeout_s": 5}, "invalid", "timeout_s"),
        ({"timeout_s": 10**9}, "invalid", "timeout_s"),
    ],
)
def test_what_will_not_do_is_refused_and_nothing_is_held(world, changes, code, field):
    with pytest.raises(Invalid) as refusal:
        world.ask(**changes)

    assert refusal.value.code == code
    assert list(refusal.value.fields) == ([field] if field else [])
    assert (Run.objects.count(), world.held()) == (0, 0)


def test_rows_that_cannot_be_learned_from_are_refused_before_anything_is_held(world):
    broken = a_text(world.case, world.person)
    broken = pushed(
        broken.repository, {"text.txt": "ok", "100%d.jsonl": "{nope\n"}, world.person
    )

    for _twice in range(2):  # the second time from memory
        with pytest.raises(Invalid) as refusal:
            world.ask(inputs={"dataset": broken})
        assert "Line 1 is not valid JSON" in str(refusal.value)

    assert (Run.objects.count(), world.held()) == (0, 0)


def test_a_model_is_no_dataset(world):
    model = a_text(world.case, world.person, kind="model")

    with pytest.raises(Invalid):
        world.ask(inputs={"dataset": model})


def test_more_work_costs_more(world):
    little, much = (
        actions.price(world.wish(knobs={"size": "small", "epochs": epochs}))
        for epochs in (1, 99)
    )

    assert much.gpu_seconds > little.gpu_seconds
    assert much.gpu_seconds_held == max(600, -(-much.gpu_seconds * 3 // 60) * 60)


def test_looking_at_the_price_leaves_nothing_behind(world, settings):
    actions.price(world.wish())

    assert list(settings.RUNS_HOME.iterdir()) == []


# --- stopping --------------------------------------------------------------------------------
def test_stopping_twice_is_one_wish(world):
    run = world.ask()
    actions.cancel(run, by=world.person)
    first = seen_again(run).cancel_asked_at

    actions.cancel(seen_again(run), by=world.person)

    assert seen_again(run).cancel_asked_at == first
    assert Entry.objects.filter(verb="runs.ask_cancel").count() == 1


def test_two_who_stop_at_once_make_one_wish(world):
    run = world.ask()
    one, other = seen_again(run), seen_again(run)

    actions.cancel(one, by=world.person)
    actions.cancel(other, by=world.person)

    assert Entry.objects.filter(verb="runs.ask_cancel").count() == 1


def test_staff_may_stop_a_run_and_strangers_may_not(world):
    run = world.ask()
    with pytest.raises(NotAllowed):
        actions.cancel(run, by=a_person())
    assert seen_again(run).cancel_asked_at is None

    actions.cancel(run, by=staff())

    assert seen_again(run).cancel_asked_at is not None


def test_a_run_that_is_over_cannot_be_stopped(world):
    run = a_run(allocation=world.allocation, state=RunState.SUCCEEDED)

    with pytest.raises(WrongState):
        actions.cancel(run, by=world.person)

    assert seen_again(run).cancel_asked_at is None


# --- continuing ------------------------------------------------------------------------------
@pytest.fixture
def stopped(world, engine):
    run = world.ask(knobs={"size": "tiny", "epochs": 4}, seed=5)
    passes(engine)
    kept = run.folder / "checkpoints" / "step-3"
    kept.mkdir(parents=True)
    (kept / "state.json").write_text("{}")
    engine.move(run.key, Sighting(Phase.FAILED, 30, "killed"))
    passes(engine)
    return seen_again(run)


def test_a_run_goes_on_from_its_checkpoint_as_a_new_run(stopped, world, engine):
    onward = actions.go_on(stopped, by=world.person)

    passes(engine)

    assert (onward.continues, onward.knobs, onward.seed) == (stopped, stopped.knobs, 5)
    assert onward.inputs.get().revision == world.revision
    assert (onward.folder / "checkpoints" / "step-3" / "state.json").is_file()
    assert seen_again(onward).state == RunState.QUEUED


@pytest.mark.parametrize("state", [RunState.WAITING, RunState.QUEUED, RunState.RUNNING])
def test_continuing_twice_is_one_run_and_one_bill(stopped, world, state):
    onward = actions.go_on(stopped, by=world.person)
    Run.objects.filter(pk=onward.pk).update(state=state)

    again = actions.go_on(stopped, by=world.person)

    assert again == onward
    assert Run.objects.filter(continues=stopped).count() == 1
    assert world.held() == onward.gpu_seconds_held


def test_a_continuation_that_takes_all_that_is_left_is_still_found_again(stopped, world):
    onward = actions.go_on(stopped, by=world.person)
    actions.ask(
        world.wish(timeout_s=world.left()), allocation=world.allocation, by=world.person
    )

    assert world.left() == 0
    assert actions.go_on(stopped, by=world.person) == onward


def test_a_continuation_that_is_over_makes_room_for_another(stopped, world):
    onward = actions.go_on(stopped, by=world.person)
    Run.objects.filter(pk=onward.pk).update(state=RunState.FAILED)

    again = actions.go_on(stopped, by=world.person)

    assert again != onward
    assert again.continues == stopped


def test_a_stranger_continues_nothing(stopped, world):
    for person in (a_person(), staff()):
        with pytest.raises(NotAllowed):
            actions.go_on(stopped, by=person)

    assert Run.objects.count() == 1


def test_a_run_without_checkpoint_or_that_ended_well_is_not_continued(world):
    for state in (RunState.FAILED, RunState.SUCCEEDED, RunState.RUNNING):
        run = a_run(allocation=world.allocation, state=state)
        with pytest.raises(WrongState):
            actions.go_on(run, by=world.person)

    assert Run.objects.count() == 3


def test_interactive_work_is_not_continued_as_a_run(stopped, world):
    Run.objects.filter(pk=stopped.pk).update(recipe="lab", knobs={})
    session = Run.objects.get(pk=stopped.pk)

    with pytest.raises(WrongState, match="session"):
        actions.go_on(session, by=world.person)

    assert "continue" not in [step.name for step in rules.next_steps(world.person, session)]
    assert Run.objects.count() == 1


def test_continuing_after_the_last_day_is_refused(stopped, world):
    yesterday = timezone.localdate() - timedelta(days=1)
    type(world.allocation).objects.update(ends_on=yesterday)

    with pytest.raises(WrongState):
        actions.go_on(seen_again(stopped), by=world.person)

    assert Run.objects.count() == 1


# --- what can be done next -------------------------------------------------------------------
def test_next_steps_follow_the_state(world, stopped):
    waiting = world.ask()
    good = a_run(allocation=world.allocation, state=RunState.SUCCEEDED)

    assert names(world.person, waiting) == ["cancel"]
    assert names(world.person, stopped) == ["continue", "again"]
    assert names(world.person, good) == ["again"]
    assert names(staff(), waiting) == ["cancel"]
    assert names(staff(), stopped) == []
    assert names(a_person(), waiting) == []


def test_who_may_step_is_who_is_shown_the_step(world):
    run = world.ask()

    for person in (world.person, staff(), a_person()):
        assert rules.may_stop(person, run.case) == ("cancel" in names(person, run))


def test_reading_the_report_trusts_nothing(world):
    run = world.ask()
    outputs = run.folder / "outputs"
    outputs.mkdir(parents=True)
    assert folders.report(run) == {}

    for text in ("[1]", "{", '{"a": 1}'):
        (outputs / "report.json").write_text(text)
        assert folders.report(run) == ({"a": 1} if text == '{"a": 1}' else {})


def test_questions_and_answers_need_a_base_model(world):
    examples = a_text(world.case, world.person)
    files = {"rows.jsonl": rows(("a", "b"), ("c", "d"))}
    examples = pushed(examples.repository, files, world.person)

    with pytest.raises(Invalid) as refusal:
        world.ask(recipe="finetune_lm", knobs={}, inputs={"dataset": examples})

    assert refusal.value.code == "input_missing"

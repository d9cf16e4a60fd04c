"""The loop with an engine that is a dictionary: states, bills, silence, wishes."""

import errno
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from fabriek.engines.base import EngineDown, Phase, Sighting
from fabriek.kernel.models import Entry
from fabriek.runs import actions, folders
from fabriek.runs.models import Metric, Run
from fabriek.runs.silence import BEFORE_LOST
from fabriek.runs.states import RunState
from fabriek.store import actions as store
from tests.factories import a_run, an_allocation
from tests.runs.world import a_world, events, passes, seen_again

pytestmark = pytest.mark.django_db

RUNNING_40 = Sighting(Phase.RUNNING, 40, started_at=1_800_000_000.0)
GOOD_100 = Sighting(
    Phase.SUCCEEDED, 100, exit_code=0, started_at=1_800_000_000.0, ended_at=1_800_000_100.0
)


def test_a_run_is_followed_from_asking_to_the_bill(world, engine):
    run = world.ask()
    assert world.left() == 36_000 - run.gpu_seconds_held

    passes(engine)
    assert seen_again(run).state == RunState.QUEUED
    engine.move(run.key, RUNNING_40)
    passes(engine)
    assert seen_again(run).state == RunState.RUNNING
    engine.move(run.key, GOOD_100)
    passes(engine)

    ended = seen_again(run)
    assert ended.state == RunState.SUCCEEDED
    assert (ended.elapsed_s, ended.gpu_seconds_used, ended.exit_code) == (100, 100, 0)
    assert (ended.started_at.timestamp(), ended.ended_at.timestamp()) == (1.8e9, 1.8e9 + 100)
    assert (world.held(), world.left(), world.bill(run)) == (0, 36_000 - 100, 100)
    verbs = Entry.objects.filter(subject_kind="runs.run", subject_id=run.pk).order_by("pk")
    assert list(verbs.values_list("verb", flat=True)) == [
        "runs.ask",
        "runs.enqueue",
        "runs.start",
        "runs.succeed",
    ]


def test_a_run_on_four_gpus_pays_for_four(world, engine):
    run = world.ask(gpus=4)
    passes(engine)
    engine.move(run.key, GOOD_100)

    passes(engine)

    assert world.bill(run) == 400


def test_the_job_is_what_was_asked_for(world, engine):
    run = world.ask(timeout_s=700)

    passes(engine)

    job = engine.jobs[run.key]
    assert (job.account, job.folder, job.gpus, job.timeout_s) == (
        world.allocation.account,
        run.folder,
        1,
        700,
    )
    assert job.command[1:] == ("-m", "fabriek_recipes.pretrain_lm", str(run.folder))
    assert (run.folder / "inputs" / "dataset" / "text.txt").is_file()


def test_a_silent_engine_changes_nothing(world, engine):
    run = world.ask()
    passes(engine)
    engine.move(run.key, RUNNING_40)
    passes(engine)
    engine.down = True

    passes(engine, 3)

    assert seen_again(run).state == RunState.RUNNING
    assert world.held() == run.gpu_seconds_held


def test_a_run_waits_while_the_engine_is_silent_and_is_sent_afterwards(world, engine):
    run = world.ask()
    engine.down = True
    passes(engine)
    assert seen_again(run).state == RunState.WAITING

    engine.down = False
    with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=False):
        passes(engine)

    assert seen_again(run).state == RunState.QUEUED


def unmentioned(world, engine, silent_for):
    run = world.ask()
    passes(engine)
    engine.move(run.key, RUNNING_40)
    passes(engine)
    engine.lose(run.key)
    silence = timezone.now() - silent_for
    Run.objects.filter(pk=run.pk).update(last_seen_at=silence)
    return run


def test_a_run_nobody_mentions_is_not_lost_at_once(world, engine):
    run = unmentioned(world, engine, BEFORE_LOST - timedelta(minutes=1))

    passes(engine)

    assert seen_again(run).state == RunState.RUNNING


def test_a_run_nobody_mentions_is_lost_and_billed_for_what_was_seen(world, engine):
    run = unmentioned(world, engine, BEFORE_LOST + timedelta(minutes=1))

    passes(engine)

    lost = seen_again(run)
    assert (lost.state, lost.reason) == (RunState.LOST, "silent")
    assert (world.held(), world.bill(run)) == (0, 40)


def test_a_lost_run_that_turns_up_at_its_end_gets_the_right_bill(world, engine):
    run = unmentioned(world, engine, timedelta(hours=1))
    passes(engine)
    engine.move(run.key, GOOD_100)

    passes(engine, 2)

    found = seen_again(run)
    assert (found.state, found.gpu_seconds_used) == (RunState.SUCCEEDED, 100)
    assert (world.bill(run), world.left()) == (100, 36_000 - 100)


def test_a_run_that_is_lost_and_found_twice_gets_the_right_bill(world, engine):
    run = unmentioned(world, engine, timedelta(hours=1))
    passes(engine)
    engine.move(run.key, Sighting(Phase.RUNNING, 500, started_at=1.8e9))
    passes(engine)
    again = seen_again(run)
    assert (again.state, again.ended_at, again.reason) == (RunState.RUNNING, None, "")
    engine.lose(run.key)
    Run.objects.update(last_seen_at=timezone.now() - timedelta(hours=1))
    passes(engine)
    assert (seen_again(run).state, world.bill(run)) == (RunState.LOST, 500)
    engine.move(run.key, Sighting(Phase.FAILED, 900, "exit", exit_code=1))

    passes(engine)

    assert (seen_again(run).state, world.bill(run)) == (RunState.FAILED, 900)


def test_a_rejected_run_fails_and_costs_nothing(world, engine):
    run = world.ask()
    engine.refuses = "No such partition"

    passes(engine)

    failed = seen_again(run)
    assert (failed.state, failed.reason) == (RunState.FAILED, "rejected")
    assert world.left() == 36_000


def test_a_run_of_a_recipe_that_is_gone_fails_and_costs_nothing(world, engine):
    run = world.ask()
    Run.objects.update(recipe="no_longer_there")

    passes(engine)

    failed = seen_again(run)
    assert (failed.state, failed.reason) == (RunState.FAILED, "unknown_recipe")
    assert world.left() == 36_000


def test_two_passes_settle_once(world, engine):
    run = world.ask()
    passes(engine)
    engine.move(run.key, GOOD_100)

    passes(engine, 3)

    assert world.left() == 36_000 - 100


def test_of_two_passes_at_once_one_sends(world, engine):
    run = world.ask()
    submit = engine.submit

    def while_another_pass_comes_by(job):
        submit(job)
        engine.submit = submit
        passes(engine)

    engine.submit = while_another_pass_comes_by

    passes(engine)

    assert seen_again(run).state == RunState.QUEUED
    assert Entry.objects.filter(verb="runs.enqueue").count() == 1


def test_a_run_that_another_process_makes_ready_is_left_to_it(world, engine):
    run = world.ask()
    run.folder.mkdir(parents=True)

    with folders.alone(run.folder):
        passes(engine)

    assert seen_again(run).state == RunState.WAITING
    assert engine.jobs == {}


# --- waiting ---------------------------------------------------------------------------------
def waits(run):
    seen = seen_again(run)
    return seen.queue_position, seen.waiting_reason


def queued(position, reason=""):
    return Sighting(Phase.QUEUED, reason=reason, queue_position=position)


def test_a_run_that_waits_keeps_its_place_and_why_until_it_starts(world, engine):
    run = world.ask()
    passes(engine)
    engine.move(run.key, queued(3, "Priority"))
    passes(engine)
    assert waits(run) == (3, "Priority")
    engine.move(run.key, queued(1, "Resources"))
    passes(engine)
    assert waits(run) == (1, "Resources")

    engine.move(run.key, RUNNING_40)
    passes(engine)

    assert (seen_again(run).state, waits(run)) == (RunState.RUNNING, (None, ""))


@pytest.mark.parametrize(
    "end",
    [GOOD_100, Sighting(Phase.CANCELLED, reason="cancelled")],
    ids=["succeeded", "cancelled"],
)
def test_a_run_that_ends_in_the_queue_waits_for_nothing(world, engine, end):
    run = world.ask()
    passes(engine)
    engine.move(run.key, queued(2, "QOSGrpGRESMinutes"))
    passes(engine)
    assert waits(run) == (2, "QOSGrpGRESMinutes")

    engine.move(run.key, end)
    passes(engine)

    assert waits(run) == (None, "")


def test_a_run_that_is_lost_waits_for_nothing(world, engine):
    run = world.ask()
    passes(engine)
    engine.move(run.key, queued(2, "Priority"))
    passes(engine)
    engine.lose(run.key)
    Run.objects.update(last_seen_at=timezone.now() - timedelta(hours=1))

    passes(engine)

    assert (seen_again(run).state, waits(run)) == (RunState.LOST, (None, ""))


def test_a_silent_engine_and_an_unknown_word_leave_the_place_as_it_was(world, engine):
    run = world.ask()
    passes(engine)
    engine.move(run.key, queued(2, "Priority"))
    passes(engine)

    engine.move(run.key, Sighting(Phase.UNKNOWN, reason="accounting_silent"))
    passes(engine)
    assert waits(run) == (2, "Priority")
    engine.down = True
    passes(engine)

    assert waits(run) == (2, "Priority")


def test_a_run_that_the_cluster_starts_again_waits_again(world, engine):
    run = world.ask()
    passes(engine)
    engine.move(run.key, RUNNING_40)
    passes(engine)

    engine.move(run.key, Sighting(Phase.QUEUED, 40, "BeginTime", queue_position=1))
    passes(engine)
    assert waits(run) == (1, "BeginTime")
    engine.move(run.key, Sighting(Phase.RUNNING, 41))
    passes(engine)

    assert waits(run) == (None, "")


def test_what_the_engine_adds_to_its_word_is_not_kept(world, engine):
    run = world.ask()
    passes(engine)
    engine.move(run.key, queued(1, "ReqNodeNotAvail, UnavailableNodes:gpu[01-99]\x00"))

    passes(engine)

    assert waits(run) == (1, "ReqNodeNotAvail")


def test_more_places_than_one_statement_takes_are_all_kept(engine, db, monkeypatch):
    monkeypatch.setattr("fabriek.runs.many_rows.ROWS_A_STATEMENT", 2)
    allocation = an_allocation()
    runs = [a_run(allocation=allocation, state=RunState.QUEUED) for _ in range(5)]
    for place, run in enumerate(runs, 1):
        engine.move(run.key, queued(place))

    passes(engine)

    assert [waits(run) for run in runs] == [(place, "") for place in range(1, 6)]


def test_a_place_is_not_written_on_a_run_that_another_pass_started(world, engine):
    run = world.ask()
    passes(engine)
    engine.move(run.key, queued(1, "Resources"))
    look = engine.look

    def while_another_pass_sees_it_start(keys):
        seen = look(keys)
        engine.look = look
        engine.move(run.key, RUNNING_40)
        passes(engine)
        return seen

    engine.look = while_another_pass_sees_it_start

    passes(engine)

    assert (seen_again(run).state, waits(run)) == (RunState.RUNNING, (None, ""))


# --- wishes ----------------------------------------------------------------------------------
def test_a_run_cancelled_before_it_was_sent_never_reaches_the_engine(world, engine):
    run = world.ask()
    actions.cancel(run, by=world.person)

    passes(engine)

    assert seen_again(run).state == RunState.CANCELLED
    assert engine.jobs == {}
    assert world.left() == 36_000


def test_a_run_cancelled_in_the_queue_costs_nothing(world, engine):
    run = world.ask()
    passes(engine)
    actions.cancel(run, by=world.person)

    passes(engine)

    assert seen_again(run).state == RunState.CANCELLED
    assert world.left() == 36_000


def test_a_run_cancelled_while_running_pays_for_what_it_used(world, engine):
    run = world.ask()
    passes(engine)
    engine.move(run.key, RUNNING_40)
    passes(engine)
    actions.cancel(run, by=world.person)

    passes(engine)

    stopped = seen_again(run)
    assert (stopped.state, stopped.reason) == (RunState.CANCELLED, "cancelled")
    assert world.bill(run) == 40


def test_a_run_sent_by_a_pass_that_died_is_stopped_on_the_engine_too(world, engine):
    run = world.ask()
    passes(engine)
    engine.move(run.key, RUNNING_40)
    Run.objects.update(state=RunState.WAITING, claimed_until=None)  # the pass died here
    actions.cancel(seen_again(run), by=world.person)

    passes(engine)

    assert engine.seen[run.key].phase == Phase.CANCELLED
    assert (seen_again(run).state, world.bill(run)) == (RunState.CANCELLED, 40)


# --- trouble ---------------------------------------------------------------------------------
def test_one_poisoned_run_does_not_stop_the_others(world, engine):
    poisoned, sound = world.ask(), world.ask()
    submit = engine.submit

    def trip(job):
        if job.key == poisoned.key:
            raise RuntimeError("a bug")
        submit(job)

    engine.submit = trip

    passes(engine)

    assert seen_again(poisoned).state == RunState.WAITING
    assert seen_again(sound).state == RunState.QUEUED


def test_events_that_cannot_be_read_do_not_keep_a_run_from_ending(world, engine):
    run = world.ask()
    passes(engine)
    (run.folder / "events.jsonl").mkdir()
    engine.move(run.key, GOOD_100)

    passes(engine)

    assert (seen_again(run).state, world.bill(run)) == (RunState.SUCCEEDED, 100)


@pytest.mark.parametrize("trouble", [OSError(errno.ENOSPC, "No space left on device")])
def test_a_full_disk_fails_the_run_costs_nothing_and_leaves_nothing(
    world, engine, monkeypatch, trouble
):
    run = world.ask()

    def fills_up(revision, folder):
        folder.mkdir(parents=True)
        (folder / "half").write_bytes(b"x" * 100)
        raise trouble

    monkeypatch.setattr(store, "materialise", fills_up)

    passes(engine)

    failed = seen_again(run)
    assert (failed.state, failed.reason) == (RunState.FAILED, "not_ready")
    assert (world.left(), engine.jobs) == (36_000, {})
    assert not (run.folder / "inputs").exists()


def test_all_events_are_read_before_a_run_is_called_over(world, engine, monkeypatch):
    monkeypatch.setattr("fabriek.runs.tail.READ_S_A_PASS", -1)  # one piece
    run = world.ask()
    passes(engine)
    events(run, {"at": 1.0, "kind": "stage", "name": "Learning"})
    engine.move(run.key, GOOD_100)

    passes(engine)
    assert seen_again(run).state == RunState.QUEUED
    passes(engine)

    assert (seen_again(run).state, seen_again(run).stage) == (RunState.SUCCEEDED, "Learning")


def test_times_beyond_all_dates_do_not_keep_a_run_from_ending(world, engine):
    """A job writes them itself, where the engine has no others."""
    run = world.ask()
    passes(engine)
    engine.move(run.key, Sighting(Phase.SUCCEEDED, 100, started_at=1e12, ended_at=1e12))

    passes(engine)

    assert (seen_again(run).state, seen_again(run).ended_at.year) == (RunState.SUCCEEDED, 3000)


# --- budgets ---------------------------------------------------------------------------------
def test_a_budget_is_told_once_and_again_when_it_changes(engine, db):
    allocation = an_allocation(gpu_seconds=36_000)
    told = []
    tell_budgets = engine.tell_budgets

    def counted(budgets):
        told.extend((budget.account, budget.gpu_seconds) for budget in budgets)
        tell_budgets(budgets)

    engine.tell_budgets = counted

    passes(engine, 2)
    type(allocation).objects.update(gpu_seconds_granted=72_000)
    passes(engine, 2)

    assert told == [(allocation.account, 36_000), (allocation.account, 72_000)]


def test_a_budget_that_could_not_be_told_is_told_later(engine, db):
    allocation = an_allocation(gpu_seconds=36_000)
    engine.down = True
    passes(engine)

    engine.down = False
    passes(engine)

    assert engine.budgets[allocation.account].gpu_seconds == 36_000


def test_a_budget_is_closed_after_its_last_day(engine, db):
    allocation = an_allocation(gpu_seconds=36_000)
    passes(engine)
    yesterday = timezone.localdate() - timedelta(days=1)
    type(allocation).objects.update(ends_on=yesterday)

    passes(engine)

    assert not engine.budgets[allocation.account].is_open
    allocation.refresh_from_db()
    assert (allocation.gpu_seconds_left, allocation.gpu_seconds_expired) == (0, 36_000)


# --- what a pass costs -----------------------------------------------------------------------
class Counting:
    """Count which verbs of an engine are called."""

    def __init__(self, engine):
        self._engine = engine
        self.calls = []

    def __getattr__(self, verb):
        self.calls.append(verb)
        return getattr(self._engine, verb)


@pytest.mark.parametrize("number", [1, 30])
def test_a_pass_costs_the_same_for_any_number_of_living_runs(
    engine, db, number, django_assert_num_queries
):
    allocation = an_allocation()
    runs = [a_run(allocation=allocation, state=RunState.RUNNING) for _ in range(number)]
    passes(engine)
    for run in runs:
        engine.move(run.key, RUNNING_40)
    counting = Counting(engine)

    # Ended budgets, untold budgets, waiting runs, living runs, who was seen and for how long.
    with django_assert_num_queries(5):
        passes(counting)

    assert counting.calls == ["look"]
    assert set(Run.objects.values_list("elapsed_s", flat=True)) == {40}


# Ended budgets, untold budgets, waiting runs, living runs, who was seen; and where they stand,
# when that changed.
@pytest.mark.parametrize("number", [1, 30])
@pytest.mark.parametrize(("moved_up", "queries"), [(0, 5), (1, 6)])
def test_a_pass_costs_the_same_for_any_number_of_waiting_runs(
    engine, db, number, moved_up, queries, django_assert_num_queries
):
    allocation = an_allocation()
    runs = [a_run(allocation=allocation, state=RunState.QUEUED) for _ in range(number)]
    for place, run in enumerate(runs, 2):
        engine.move(run.key, queued(place, "Priority"))
    passes(engine)
    for place, run in enumerate(runs, 2):
        engine.move(run.key, queued(place - moved_up, "Priority"))
    counting = Counting(engine)

    with django_assert_num_queries(queries):
        passes(counting)

    assert counting.calls == ["look"]
    places = Run.objects.order_by("pk").values_list("queue_position", flat=True)
    assert list(places) == [place - moved_up for place in range(2, number + 2)]


def test_sending_stops_at_an_engine_that_goes_silent_halfway(world, engine):
    first, second = world.ask(), world.ask()

    def silent(job):
        raise EngineDown("gone")

    engine.submit = silent

    passes(engine)

    assert {seen_again(first).state, seen_again(second).state} == {RunState.WAITING}
    assert Metric.objects.count() == 0


def test_runs_of_two_cases_are_billed_to_their_own(engine, db):
    one, other = a_world(), a_world()
    first, second = one.ask(), other.ask()
    passes(engine)
    engine.move(first.key, GOOD_100)
    engine.move(second.key, Sighting(Phase.FAILED, 7, "exit", exit_code=1))

    passes(engine)

    assert (one.left(), other.left()) == (36_000 - 100, 36_000 - 7)

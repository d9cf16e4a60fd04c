"""An engine that is silent in one thing answers in others, and the pass goes on with those."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from fabriek.allocations.models import Allocation
from fabriek.engines.base import EngineDown, Phase, Sighting
from fabriek.runs import actions
from fabriek.runs.states import RunState
from tests.runs.world import a_world, passes, seen_again

pytestmark = pytest.mark.django_db

RUNNING_40 = Sighting(Phase.RUNNING, 40, started_at=1_800_000_000.0)


def silent(*_words):
    raise EngineDown("gone")


@pytest.fixture
def running(world, engine):
    run = world.ask()
    passes(engine)
    engine.move(run.key, RUNNING_40)
    return run


@pytest.mark.parametrize("verb", ["tell_budgets", "submit", "cancel"])
def test_runs_are_followed_while_the_engine_is_silent_in_something_else(
    world, engine, running, monkeypatch, verb
):
    unwanted = world.ask()
    passes(engine)
    engine.move(unwanted.key, RUNNING_40)
    actions.cancel(unwanted, by=world.person)
    world.ask()
    Allocation.objects.update(told_gpu_seconds=1)
    monkeypatch.setattr(engine, verb, silent)

    passes(engine)

    assert (seen_again(running).state, seen_again(running).elapsed_s) == (RunState.RUNNING, 40)
    stops = RunState.RUNNING if verb == "cancel" else RunState.CANCELLED
    assert seen_again(unwanted).state == stops


def test_a_run_is_sent_only_once_the_engine_knows_its_budget(engine, world, monkeypatch):
    told = world.ask()
    passes(engine)
    monkeypatch.setattr(engine, "tell_budgets", silent)
    other = a_world()
    untold, told_before = other.ask(), world.ask()

    passes(engine)

    assert seen_again(untold).state == RunState.WAITING
    assert set(engine.jobs) == {told.key, told_before.key}
    monkeypatch.undo()
    passes(engine)
    assert seen_again(untold).state == RunState.QUEUED


def test_a_run_that_waits_for_its_budget_can_be_taken_back(engine, world, monkeypatch):
    monkeypatch.setattr(engine, "tell_budgets", silent)
    run = world.ask()
    passes(engine)
    actions.cancel(run, by=world.person)

    passes(engine)

    assert seen_again(run).state == RunState.CANCELLED
    assert world.held() == 0


@pytest.mark.parametrize("engine_was_down", [True, False])
def test_a_run_is_not_lost_for_what_nobody_could_say_of_it(
    engine, world, running, engine_was_down
):
    passes(engine)
    engine.down = engine_was_down
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(2):
            clock.shift(timedelta(minutes=25))
            passes(engine, int(engine_was_down))
        engine.down = False
        engine.lose(running.key)

        passes(engine)
        assert seen_again(running).state == RunState.RUNNING

        for _ in range(8):  # from here on it is asked, and silent
            clock.shift(timedelta(minutes=4))
            passes(engine)
        assert seen_again(running).state == RunState.LOST


def test_a_run_is_not_stopped_for_the_time_in_which_its_end_could_not_be_told(
    engine, world, running
):
    passes(engine)
    engine.down = True
    with time_machine.travel(timezone.now() + timedelta(hours=2), tick=True):
        passes(engine)
        engine.down = False
        # Its end, hours ago, is on its way from the node to the controller.
        engine.move(running.key, Sighting(Phase.RUNNING, 7200, started_at=1_800_000_000.0))
        passes(engine, 2)
        engine.move(running.key, Sighting(Phase.SUCCEEDED, 7200, exit_code=0))
        passes(engine)

    assert seen_again(running).state == RunState.SUCCEEDED


def test_a_run_that_waited_for_long_is_not_lost_as_soon_as_it_was_sent(engine, world):
    other = world.ask()
    passes(engine)
    run = world.ask()
    engine.down = True
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(10):
            clock.shift(timedelta(minutes=4))
            passes(engine)
        engine.down = False
        clock.shift(10)
        passes(engine)
        engine.lose(run.key)

        clock.shift(1)
        passes(engine)

        assert {seen_again(run).state, seen_again(other).state} == {RunState.QUEUED}


def test_after_silence_a_run_is_tried_again_within_seconds_but_after_the_others(
    engine, world, monkeypatch
):
    submit = engine.submit
    first, second = world.ask(), world.ask()

    def knows_not(job):
        return silent() if job.key == first.key else submit(job)

    with time_machine.travel(timezone.now(), tick=False) as clock:
        monkeypatch.setattr(engine, "submit", knows_not)
        passes(engine)
        clock.shift(1)
        passes(engine)

        assert seen_again(first).state == RunState.WAITING
        assert seen_again(second).state == RunState.QUEUED
        monkeypatch.undo()
        clock.shift(timedelta(seconds=5))
        passes(engine)
        assert seen_again(first).state == RunState.QUEUED

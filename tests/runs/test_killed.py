"""The loop is killed at every step; the next pass ends in the true state and the true bill."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from fabriek.allocations import actions as allocations
from fabriek.engines.base import Phase, Sighting
from fabriek.runs import folders, reconcile, tail
from fabriek.runs.models import Metric, Run
from fabriek.runs.states import RunState
from tests.runs.world import events, passes, seen_again

GOOD_100 = Sighting(Phase.SUCCEEDED, 100, exit_code=0, ended_at=1_800_000_100.0)


class Killed(BaseException):
    """Stands for kill -9: nothing catches it, and what was not committed is gone."""


def dies_after(monkeypatch, owner, name):
    """Let the real thing happen, once, and then die."""
    real = getattr(owner, name)

    def once(*args, **kwargs):
        real(*args, **kwargs)
        monkeypatch.setattr(owner, name, real)
        raise Killed

    monkeypatch.setattr(owner, name, once)


def dies_before(monkeypatch, owner, name):
    real = getattr(owner, name)

    def once(*args, **kwargs):
        monkeypatch.setattr(owner, name, real)
        raise Killed

    monkeypatch.setattr(owner, name, once)


def a_fresh_pass(engine):
    """Make a pass as a new process does, when the claim of the dead one has ended."""
    with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=False):
        passes(engine)


SENDING = [
    (folders, "prepare", dies_before),  # after the claim
    (folders, "_materialise_whole", dies_after),  # inputs laid out, no manifest yet
    (folders, "prepare", dies_after),
    ("engine", "submit", dies_after),  # the engine has the job, and we do not know it
    (reconcile.RUN, "take", dies_after),  # moved, and not committed
]


@pytest.mark.parametrize(("owner", "name", "dies"), SENDING)
def test_a_run_is_sent_once_whenever_the_loop_dies(
    world, engine, monkeypatch, owner, name, dies
):
    run = world.ask()
    dies(monkeypatch, engine if owner == "engine" else owner, name)
    with pytest.raises(Killed):
        passes(engine)
    assert seen_again(run).state == RunState.WAITING
    assert world.held() == run.gpu_seconds_held

    a_fresh_pass(engine)

    assert seen_again(run).state == RunState.QUEUED
    assert list(engine.jobs) == [run.key]
    assert (run.folder / "inputs" / "dataset" / "text.txt").is_file()
    assert world.held() == run.gpu_seconds_held


ENDING = [
    ("engine", "look", dies_after),
    (tail, "catch_up", dies_after),
    (reconcile.RUN, "take", dies_after),  # moved, not settled
    (allocations, "settle", dies_before),
    (allocations, "settle", dies_after),  # settled, and not committed
]


@pytest.mark.parametrize(("owner", "name", "dies"), ENDING)
def test_a_run_is_billed_once_whenever_the_loop_dies(
    world, engine, monkeypatch, owner, name, dies
):
    run = world.ask()
    passes(engine)
    engine.move(run.key, GOOD_100)
    dies(monkeypatch, engine if owner == "engine" else owner, name)
    with pytest.raises(Killed):
        passes(engine)
    assert seen_again(run).state == RunState.QUEUED
    assert (world.held(), world.bill(run)) == (run.gpu_seconds_held, 0)

    a_fresh_pass(engine)

    assert seen_again(run).state == RunState.SUCCEEDED
    assert (world.held(), world.bill(run), world.left()) == (0, 100, 36_000 - 100)


def test_figures_are_kept_once_when_the_loop_dies_between_offset_and_figures(
    world, engine, monkeypatch
):
    run = world.ask()
    passes(engine)
    engine.move(run.key, Sighting(Phase.RUNNING, 5))
    events(run, {"at": 1.0, "kind": "metrics", "step": 1, "values": {"loss": 3.5}})
    dies_before(monkeypatch, Metric.objects, "bulk_create")
    with pytest.raises(Killed):
        passes(engine)
    assert seen_again(run).events_offset == 0

    a_fresh_pass(engine)

    assert list(Metric.objects.values_list("name", "step", "value")) == [("loss", 1, 3.5)]
    assert seen_again(run).events_offset > 0


def test_a_lost_run_is_corrected_once_when_the_loop_dies_while_correcting(
    world, engine, monkeypatch
):
    run = world.ask()
    passes(engine)
    engine.move(run.key, Sighting(Phase.RUNNING, 40))
    passes(engine)
    engine.lose(run.key)
    Run.objects.update(last_seen_at=timezone.now() - timedelta(hours=1))
    passes(engine)
    engine.move(run.key, GOOD_100)
    dies_after(monkeypatch, allocations, "correct")
    with pytest.raises(Killed):
        passes(engine)
    assert (seen_again(run).state, world.bill(run)) == (RunState.LOST, 40)

    a_fresh_pass(engine)

    assert (seen_again(run).state, world.bill(run)) == (RunState.SUCCEEDED, 100)


def test_a_budget_is_told_again_when_the_loop_dies_before_it_was_noted(
    world, engine, monkeypatch
):
    dies_after(monkeypatch, engine, "tell_budgets")
    with pytest.raises(Killed):
        passes(engine)

    passes(engine)

    world.allocation.refresh_from_db()
    assert engine.budgets[world.allocation.account].gpu_seconds == 36_000
    assert world.allocation.told_gpu_seconds == 36_000

"""The loop dies at each point of a pass, and two are at it at once: nothing is doubled."""

import pytest

from fabriek.runs import actions as runs
from fabriek.runs.models import Run
from fabriek.sweeps import actions, queries, scoring, stepping
from fabriek.sweeps.models import Part, Sweep
from fabriek.sweeps.states import SweepState
from tests.sweeps.searching import again, begun, ends, living, loss_of, searched, ticks

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """As SIGKILL: nothing in the code can catch it."""


def kills(monkeypatch, place, name, *, after, time=1):
    """Let the process die before or after the so-many-th call of a function."""
    real, calls = getattr(place, name), []

    def instead(*args, **kwargs):
        calls.append(1)
        if len(calls) == time and not after:
            raise Killed
        found = real(*args, **kwargs)
        if len(calls) == time and after:
            raise Killed
        return found

    monkeypatch.setattr(place, name, instead)


POINTS = [
    (stepping, "_promise", False),
    (stepping, "_promise", True),
    (runs, "ask", False),
    (runs, "ask", True),
    (stepping, "_ask", True),
    (stepping, "suggest", True),
    (scoring, "_note_one", False),
    (scoring, "_note_one", True),
    (stepping.clearing, "clear", False),
    (stepping.ending, "finish", False),
    (stepping.ending, "finish", True),
]


@pytest.mark.parametrize("time", [1, 2, 3])
@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point[1]}-{point[2]}")
def test_a_loop_that_is_killed_leaves_what_the_next_pass_goes_on_from(
    world, engine, monkeypatch, point, time
):
    place, name, after = point
    sweep = begun(world, trials=4, halving=2, at_once=2)
    with monkeypatch.context() as dying:
        kills(dying, place, name, after=after, time=time)
        for _ in range(12):
            try:
                ticks(engine)
            except Killed:
                break
            for run in living():
                ends(engine, run, loss=loss_of(run))
    # Its claim runs out by itself.
    Sweep.objects.update(claimed_until=None)

    over = searched(engine, sweep)

    board = queries.board(over)
    assert over.state == SweepState.DONE
    assert sorted(board.parts) == sorted(
        {(number, 0) for number in (1, 2, 3, 4)}
        | {(number, 1) for number in (n for n, place in board.parts if place == 1)}
    )
    assert sum(place == 1 for _number, place in board.parts) == 2
    assert Run.objects.count() == len(board.parts) == 6
    assert board.committed == board.spent


def test_a_pass_that_died_between_asking_and_noting_is_stopped_too(world, engine, monkeypatch):
    sweep = begun(world, at_once=1)
    with monkeypatch.context() as dying:
        kills(dying, runs, "ask", after=True)
        with pytest.raises(Killed):
            ticks(engine)
    actions.stop(again(sweep), by=world.person)
    Sweep.objects.update(claimed_until=None)

    ticks(engine, 2)

    run = Run.objects.get()
    assert run.cancel_asked_at is not None
    assert Part.objects.get().run == run


def test_two_passes_at_once_ask_for_each_run_once(world, engine, monkeypatch):
    sweep = begun(world, trials=4, halving=2, at_once=2)
    real, inner = runs.price_for, []

    def with_another_pass(*args, **kwargs):
        if not inner:
            inner.append(1)
            stepping.step(again(sweep))
        return real(*args, **kwargs)

    monkeypatch.setattr(runs, "price_for", with_another_pass)
    stepping.step(again(sweep))

    names = list(Part.objects.values_list("trial__number", "round").order_by("trial"))
    assert names == [(1, 0), (2, 0)]
    assert Run.objects.count() == 2
    assert queries.board(again(sweep)).committed == world.held()


def test_a_claimed_search_is_left_to_the_pass_that_has_it(world, engine):
    sweep = begun(world)
    assert stepping._claim(sweep)  # noqa: SLF001

    ticks(engine)

    assert not Run.objects.exists()


def test_one_search_that_cannot_be_handled_does_not_stop_the_others(
    world, engine, monkeypatch, caplog
):
    broken, sound = begun(world), begun(world)
    real = stepping.step

    def breaks(sweep):
        if sweep == broken:
            raise RuntimeError
        real(sweep)

    monkeypatch.setattr(stepping, "step", breaks)
    ticks(engine)

    assert broken.trials.count() == 0
    assert sound.trials.count() == 9
    assert "could not be handled" in caplog.text

"""A search as the loop moves it on: rounds, failures, budget, standing still, stopping."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fabriek.allocations import actions as allocations
from fabriek.cases import actions as cases
from fabriek.cases.models import Case
from fabriek.engines.base import Phase, Sighting
from fabriek.kernel.errors import Invalid, NotAllowed, NotEnough, WrongState
from fabriek.people.models import Membership
from fabriek.registry.queries import awaiting_registration
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek.sweeps import actions, queries, reasons
from fabriek.sweeps.models import Part, Sweep
from fabriek.sweeps.ranges import Given
from fabriek.sweeps.states import SweepState
from fabriek_recipes.run_folder import read_manifest
from tests.factories import a_person, staff
from tests.runs.world import passes, seen_again
from tests.sweeps.searching import (
    HOUR,
    a_wish,
    again,
    begun,
    ends,
    living,
    loss_of,
    searched,
    ticks,
)

pytestmark = pytest.mark.django_db


def test_nine_begin_three_go_on_from_where_they_were_and_one_wins(world, engine):
    sweep = begun(world)

    over = searched(engine, sweep)

    board = queries.board(over)
    first = {n: part for (n, place), part in board.parts.items() if place == 0}
    second = {n: part for (n, place), part in board.parts.items() if place == 1}
    best_three = sorted(first, key=lambda n: first[n].score)[:3]
    assert (over.state, over.reason) == (SweepState.DONE, "")
    assert len(first) == 9
    assert sorted(second) == sorted(best_three)
    for number, part in second.items():
        assert part.run.continues_id == first[number].run_id
        assert part.run.knobs == first[number].run.knobs
        assert (part.run.until_share, part.since_share) == (
            pytest.approx(1 / 3),
            pytest.approx(1 / 9),
        )
    assert board.best.trial.number == min(second, key=lambda n: second[n].score)
    assert Run.objects.count() == 12
    assert not awaiting_registration().exists()


def test_the_first_trial_has_the_settings_that_nobody_searched(world, engine):
    knobs = {"size": "tiny", "learning_rate": 0.004}
    sweep = begun(world, knobs=knobs)

    ticks(engine)

    assert sweep.trials.get(number=1).knobs == {"learning_rate": 0.004}


def test_a_part_says_in_its_folder_where_to_end(world, engine):
    begun(world)
    ticks(engine)

    limits = read_manifest(living()[0].folder).limits

    assert limits.until_share == pytest.approx(1 / 9)


def test_no_more_run_at_once_than_was_asked(world, engine):
    sweep = begun(world, at_once=2)

    ticks(engine, 3)
    before = len(living())
    ends(engine, living()[0], loss=1.0)
    ticks(engine, 2)

    assert (before, len(living())) == (2, 2)
    assert sweep.trials.count() == 3


def test_a_recipe_that_saves_nothing_has_one_round_of_whole_runs(world, engine):
    wish = {"recipe": "forecast", "ranges": [Given(name="season", low=0, high=9)]}
    sweep = Sweep(recipe="forecast", halving=0, trials_wanted=4)

    known = actions.checked(actions.Wish(gpu_seconds_budget=HOUR, **wish))

    assert known.wish.halving == 0
    assert [
        one.until_share for one in queries.Board(sweep=sweep, trials={}).standing.rounds
    ] == [1.0]


# --- budget -----------------------------------------------------------------------------
@pytest.mark.parametrize("budget_s", [700, 2_000, 5_000])
def test_the_budget_is_never_passed_also_when_runs_take_all_they_may(world, engine, budget_s):
    sweep = begun(world, gpu_seconds_budget=budget_s, trials=9)

    for _ in range(40):
        ticks(engine)
        board = queries.board(again(sweep))
        assert board.committed <= budget_s
        assert world.held() <= budget_s
        for run in living():
            ends(engine, run, loss=loss_of(run), took_s=run.timeout_s)

    over = again(sweep)
    spent = sum(Run.objects.values_list("gpu_seconds_used", flat=True))
    assert not over.is_unfinished
    assert over.reason in {"budget", "cut"}
    assert 0 < spent <= budget_s
    assert world.held() == 0


def test_a_lost_trial_that_turns_up_does_not_pass_the_budget(world, engine):
    sweep = begun(world, trials=2, halving=0, at_once=1, gpu_seconds_budget=1000)
    ticks(engine)
    (lost,) = living()
    engine.move(lost.key, Sighting(Phase.RUNNING, 30))
    passes(engine)
    engine.lose(lost.key)
    Run.objects.update(last_seen_at=timezone.now() - timedelta(hours=1))
    ticks(engine)
    assert seen_again(lost).state == RunState.LOST
    committed = queries.board(sweep).committed

    for run in Run.objects.all():  # also the lost one worked to its limit
        engine.move(run.key, Sighting(Phase.SUCCEEDED, run.timeout_s, exit_code=0))
    passes(engine, 3)
    ticks(engine, 2)

    used = [run.gpu_seconds_used for run in Run.objects.all()]
    assert committed >= lost.gpu_seconds_held
    assert seen_again(lost).gpu_seconds_used == lost.gpu_seconds_held
    assert sum(used) <= sweep.gpu_seconds_budget


def test_what_was_done_within_a_small_budget_still_has_a_winner(world, engine):
    sweep = begun(world, gpu_seconds_budget=1_300, trials=9)

    over = searched(engine, sweep, score=loss_of)

    assert over.state == SweepState.DONE
    assert queries.board(over).best is not None


def test_a_budget_above_what_is_left_is_refused_and_nothing_is_written(world):
    with pytest.raises(NotEnough):
        begun(world, gpu_seconds_budget=101 * HOUR)

    assert not Sweep.objects.exists()


def test_a_budget_too_small_for_two_trials_is_refused_with_what_it_takes(world):
    with pytest.raises(Invalid) as refused:
        begun(world, gpu_seconds_budget=5, trials=None)

    assert refused.value.code == "small_budget"


def test_how_many_are_tried_follows_from_the_budget(world):
    few = actions.price(a_wish(world, trials=None, gpu_seconds_budget=200), **_by(world))
    many = actions.price(a_wish(world, trials=None), **_by(world))

    assert 2 <= few.trials < many.trials == 27
    assert few.gpu_seconds <= 200
    assert few.is_enough


def _by(world):
    return {"case": world.case, "by": world.person}


def test_when_the_balance_is_out_it_stands_still_and_goes_on_when_asked(world, engine):
    sweep = begun(world, gpu_seconds_budget=50 * HOUR, trials=4, halving=2)
    others = world.left() - 100
    allocations.hold(world.allocation, run_key="others", gpu_seconds=others)

    ticks(engine, 2)
    stood = again(sweep)
    allocations.settle(world.allocation, run_key="others", gpu_seconds_used=0)
    actions.go_on(again(sweep), by=world.person)
    over = searched(engine, sweep)

    assert (stood.state, stood.reason) == (SweepState.PAUSED, "balance")
    assert "used up or held" in reasons.why(stood)
    assert over.state == SweepState.DONE
    assert Run.objects.count() == 6


# --- failures ---------------------------------------------------------------------------
def test_a_trial_that_fails_counts_as_the_worst_and_says_why(world, engine):
    sweep = begun(world, trials=4, halving=2)
    ticks(engine)
    ends(engine, living()[0], failure="diverged")
    ticks(engine)

    over = searched(engine, sweep)

    board = queries.board(over)
    failed = board.parts[1, 0]
    assert over.state == SweepState.DONE
    assert (failed.trouble, failed.score) == ("diverged", None)
    assert reasons.trouble(failed) == "It broke."
    assert (1, 1) not in board.parts
    assert Run.objects.count() == 6


def test_three_that_fail_alike_stop_the_search_and_what_runs_of_it(world, engine):
    sweep = begun(world, at_once=4)
    ticks(engine)
    for run in living()[:3]:
        ends(engine, run, failure="bad_row")

    ticks(engine, 3)

    stopped = again(sweep)
    assert (stopped.state, stopped.reason) == (SweepState.FAILED, "same_trouble")
    assert reasons.why(stopped).startswith("The first trials fail in the same way")
    assert Run.objects.count() == 4
    assert all(run.cancel_asked_at for run in Run.objects.exclude(state=RunState.FAILED))


@pytest.mark.parametrize("trials", [[0], [2, 3]])
def test_what_never_tells_the_score_stops_the_search_and_what_runs_of_it(world, engine, trials):
    """The first has the usual settings; of others it takes two."""
    sweep = begun(world, at_once=4)
    ticks(engine)
    for run in [living()[place] for place in trials]:
        ends(engine, run)

    ticks(engine, 3)

    stopped = again(sweep)
    assert stopped.state == SweepState.FAILED
    assert reasons.why(stopped) == (
        "A trial ended well but without a score, so the search was stopped: It ended without "
        "this score: were rows kept apart?"
    )
    assert Run.objects.count() == 4
    assert all(run.cancel_asked_at for run in Run.objects.exclude(state=RunState.SUCCEEDED))


@pytest.mark.parametrize(("trial", "told"), [(0, {"loss": float("inf")}), (2, {})])
def test_one_without_a_score_that_other_settings_may_have_goes_on(world, engine, trial, told):
    sweep = begun(world, at_once=4)
    ticks(engine)
    ends(engine, living()[trial], **told)

    ticks(engine, 2)

    assert again(sweep).state == SweepState.RUNNING


def test_as_many_with_a_score_as_failed_alike_go_on(world, engine):
    sweep = begun(world, at_once=6)
    ticks(engine)
    for run in living()[:3]:
        ends(engine, run, loss=loss_of(run))
    ticks(engine)
    for run in living()[:3]:
        ends(engine, run, failure="diverged")
    ticks(engine)

    assert searched(engine, sweep).state == SweepState.DONE


def test_without_any_score_there_is_no_winner(world, engine):
    over = searched(engine, begun(world, trials=2), score=lambda _run: float("inf"))

    assert (over.state, over.reason) == (SweepState.FAILED, "no_score")
    with pytest.raises(WrongState):
        actions.keep(over, by=world.person)


# --- who may ----------------------------------------------------------------------------
def test_a_stranger_neither_starts_nor_stops_nor_keeps(world, engine):
    stranger = a_person()
    sweep = begun(world)

    with pytest.raises(NotAllowed):
        actions.start(a_wish(world), allocation=world.allocation, by=stranger)
    for action in (actions.stop, actions.go_on, actions.keep):
        with pytest.raises(NotAllowed):
            action(again(sweep), by=stranger)

    assert Sweep.objects.count() == 1
    assert again(sweep).state == SweepState.RUNNING
    assert not Sweep.objects.visible_to(stranger).exists()


def test_who_left_the_consortium_no_longer_runs_anything_by_a_search(world, engine):
    sweep = begun(world)
    colleague = a_person()
    organisation = world.case.organisation
    Membership.objects.create(organisation=organisation, person=colleague, role="lead")
    Membership.objects.filter(person=world.person).delete()

    ticks(engine, 2)
    stood = again(sweep)
    runs = Run.objects.count()
    actions.go_on(again(sweep), by=colleague)
    ticks(engine, 2)

    assert (stood.state, stood.reason, runs) == (SweepState.PAUSED, "refused", 0)
    assert {run.asked_by for run in living()} == {colleague}


def test_who_can_no_longer_sign_in_runs_nothing(world, engine):
    sweep = begun(world)
    type(world.person).objects.filter(pk=world.person.pk).update(is_active=False)

    ticks(engine, 2)

    assert (again(sweep).state, again(sweep).reason) == (SweepState.PAUSED, "left")
    assert not Run.objects.exists()


def test_staff_may_stop_a_search_and_not_let_it_go_on(world, engine):
    sweep = begun(world)
    ticks(engine)

    actions.stop(again(sweep), by=staff())
    with pytest.raises((NotAllowed, WrongState)):
        actions.go_on(again(sweep), by=staff())
    ticks(engine, 2)

    stopped = again(sweep)
    assert stopped.state == SweepState.STOPPED
    assert all(run.cancel_asked_at for run in living())


def test_a_search_that_was_stopped_begins_nothing_new_and_is_left_alone(world, engine):
    sweep = begun(world, at_once=2)
    ticks(engine)
    actions.stop(again(sweep), by=world.person)
    for run in living():
        engine.cancel(run.key)

    ticks(engine, 4)

    assert Run.objects.count() == 2
    assert world.held() == 0
    assert again(sweep).tidied_at is not None
    assert {part.trouble for part in Part.objects.all()} == {"cancelled"}
    with pytest.raises(WrongState):
        actions.stop(again(sweep), by=world.person)


# --- the winner -------------------------------------------------------------------------
def test_the_winner_is_trained_on_from_where_it_was_once(world, engine):
    over = searched(engine, begun(world))
    best = queries.board(over).best

    run = actions.keep(over, by=world.person)
    same = actions.keep(again(over), by=world.person)

    latest = queries.board(over).latest(best.trial.number).run
    assert same == run
    assert (run.continues, run.until_share, run.is_trial) == (latest, 1.0, False)
    assert run.knobs == latest.knobs
    assert run.outputs_taken_at is None
    assert queries.won_by(run) == (over, 9)


def test_a_winner_whose_training_failed_can_be_trained_again(world, engine):
    over = searched(engine, begun(world))
    run = actions.keep(over, by=world.person)
    ticks(engine)
    ends(engine, run, failure="disk_full")
    ticks(engine)

    other = actions.keep(again(over), by=world.person)

    assert other != run
    assert other.continues == run.continues


def test_what_losers_saved_is_removed_and_the_winner_s_stays_until_its_model(world, engine):
    over = searched(engine, begun(world))
    best = queries.board(over).best

    left = {run for run in Run.objects.all() if (run.folder / "checkpoints").exists()}
    latest = queries.board(over).latest(best.trial.number).run
    run = actions.keep(over, by=world.person)
    ticks(engine)
    still = (latest.folder / "checkpoints").exists()
    ends(engine, run, loss=0.5)
    ticks(engine, 3)

    assert left == {latest}
    assert still
    assert not (latest.folder / "checkpoints").exists()
    assert again(over).tidied_at is not None


def test_the_same_wish_twice_is_one_search(world):
    wish = a_wish(world)

    both = [
        actions.start(wish, allocation=world.allocation, by=world.person) for _turn in (1, 2)
    ]

    assert both[0] == both[1]
    assert Sweep.objects.count() == 1


def test_a_case_does_not_end_while_a_search_of_it_goes_on(world):
    sweep = begun(world)

    with pytest.raises(WrongState) as refused:
        cases.close(world.case, by=world.person)
    assert refused.value.code == "goes_on"
    assert sweep.code in str(refused.value)

    actions.stop(sweep, by=world.person)
    cases.close(world.case, by=world.person)


def test_nor_does_a_search_begin_or_go_on_once_its_case_ended_meanwhile(world, monkeypatch):
    def ended_first(*_words, **_more):
        Case.objects.filter(pk=world.case.pk).update(state="closed")
        return told(*_words, **_more)

    standing = begun(world)
    Sweep.objects.filter(pk=standing.pk).update(state="paused")
    told = actions.quote
    monkeypatch.setattr(actions, "quote", ended_first)
    with pytest.raises(WrongState):
        begun(world)
    assert [one.state for one in Sweep.objects.all()] == ["paused"]

    Case.objects.filter(pk=world.case.pk).update(state="open")
    told = actions.usual_wish
    monkeypatch.setattr(actions, "usual_wish", ended_first)
    with pytest.raises(WrongState):
        actions.go_on(again(standing), by=world.person)
    assert Sweep.objects.get().state == "paused"

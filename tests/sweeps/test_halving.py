"""Who goes on after a round: plain arithmetic."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from fabriek.sweeps import halving
from fabriek.sweeps.halving import Over, Result, Standing, Wanted


@pytest.mark.parametrize(
    ("trials", "one_of", "counts", "shares"),
    [
        (9, 3, [9, 3], [1 / 9, 1 / 3]),
        (27, 3, [27, 9, 3], [1 / 27, 1 / 9, 1 / 3]),
        (8, 2, [8, 4, 2], [1 / 8, 1 / 4, 1 / 2]),
        (16, 4, [16, 4], [1 / 16, 1 / 4]),
        (8, 3, [8, 2], [1 / 9, 1 / 3]),
        (5, 3, [5], [1 / 3]),
        (2, 3, [2], [1 / 3]),
        (7, 0, [7], [1.0]),
    ],
)
def test_rounds_end_where_nothing_is_left_to_compare(trials, one_of, counts, shares):
    planned = halving.rounds(trials, one_of)

    assert [one.trials for one in planned] == counts
    assert [one.until_share for one in planned] == pytest.approx(shares)
    assert [one.since_share for one in planned] == pytest.approx([0.0, *shares[:-1]])


def a_standing(results, *, trials=9, one_of=3, is_full=False, lower=True):
    return Standing(
        rounds=halving.rounds(trials, one_of),
        results=results,
        halving=one_of,
        is_lower_better=lower,
        is_full=is_full,
    )


def scored(scores):
    return {number: Result(is_over=True, score=score) for number, score in scores.items()}


def test_a_round_waits_until_all_of_the_one_before_are_over():
    first = scored({number: number for number in range(1, 9)}) | {9: Result(is_over=False)}

    assert halving.following(a_standing([first, {}])) is None


@pytest.mark.parametrize(("lower", "best"), [(True, [1, 2, 3]), (False, [9, 8, 7])])
def test_one_in_three_goes_on_and_the_best_first(lower, best):
    standing = a_standing([scored({n: n / 10 for n in range(1, 10)}), {}], lower=lower)

    assert halving.going_on(standing, 0) == best
    assert halving.following(standing) == Wanted(round=1, number=best[0])


def test_a_trial_without_a_score_never_goes_on():
    first = scored({1: None, 2: None, 3: 0.3, **dict.fromkeys(range(4, 10))})

    assert halving.going_on(a_standing([first, {}]), 0) == [3]
    assert isinstance(halving.following(a_standing([first, {}])), Over)


def test_of_a_budget_that_ran_out_those_that_were_done_go_on():
    first = scored({number: number for number in range(1, 7)})

    assert halving.following(a_standing([first, {}])) == Wanted(round=0)
    full = a_standing([first, {}], is_full=True)
    assert halving.going_on(full, 0) == [1, 2]
    assert halving.following(full) == Wanted(round=1, number=1)


def test_only_trials_that_were_trained_as_far_are_compared():
    standing = a_standing([scored({1: 0.1, 2: 0.2, 3: 0.3}), scored({3: 0.25})])

    assert halving.best(standing) == (1, 3)
    assert halving.best(a_standing([{}, {}])) is None


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    trials=some.integers(2, 100),
    one_of=some.sampled_from([0, 2, 3, 4]),
    seed=some.integers(0, 1000),
)
def test_every_search_comes_to_an_end_and_does_what_was_planned(trials, one_of, seed):
    luck = random.Random(seed)
    planned = halving.rounds(trials, one_of)
    results = [{} for _round in planned]
    while not isinstance(
        wanted := halving.following(a_standing(results, trials=trials, one_of=one_of)), Over
    ):
        number = wanted.number or len(results[0]) + 1
        assert number not in results[wanted.round]
        results[wanted.round][number] = Result(is_over=True, score=luck.random())

    assert [len(found) for found in results] == [one.trials for one in planned]
    place, winner = halving.best(a_standing(results, trials=trials, one_of=one_of))
    assert results[place][winner].score == min(one.score for one in results[place].values())

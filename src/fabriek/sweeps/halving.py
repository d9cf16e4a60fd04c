"""Successive halving as plain arithmetic: which trial is trained next, and how far.

Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
Optimization" (2016). Every trial does the first part of its steps; of so many one goes on, and
so again, until the last round. The winner does the rest of its steps afterwards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ONE_OF = (2, 3, 4)


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """How many trials do their steps from one share to the other."""

    trials: int
    since_share: float
    until_share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """Of one trial in one round; over without a score: it failed."""

    is_over: bool
    score: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Where a search stands: of each round the results by the number of the trial."""

    rounds: Sequence[Round]
    results: Sequence[Mapping[int, Result]]
    halving: int
    is_lower_better: bool
    is_full: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What to begin: a round of a trial that is known, or of a new one (no number)."""

    round: int
    number: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Over:
    """Nothing is left to do."""


def rounds(trials: int, halving: int) -> tuple[Round, ...]:
    """Plan the rounds; without halving (0) there is one, of whole runs.

    The last round is the last in which there is something to compare: who wins it has as much
    left to do as it did so far, and more.
    """
    if not halving:
        return (Round(trials=trials, since_share=0.0, until_share=1.0),)
    counts = [trials]
    while counts[-1] // halving > 1:
        counts.append(counts[-1] // halving)
    shares = [float(halving) ** (place - len(counts)) for place in range(len(counts))]
    return tuple(
        Round(trials=count, since_share=before, until_share=share)
        for count, before, share in zip(counts, [0.0, *shares], shares, strict=False)
    )


def following(standing: Standing) -> Wanted | Over | None:
    """Say what to begin next; nothing while there is something to wait for."""
    for place, planned in enumerate(standing.rounds):
        found = standing.results[place] if place < len(standing.results) else {}
        if place == 0:
            if len(found) < planned.trials and not standing.is_full:
                return Wanted(round=0)
        else:
            chosen = going_on(standing, place - 1)
            if len(chosen) <= 1:
                return Over()  # nothing to compare it with
            if late := [number for number in chosen if number not in found]:
                return Wanted(round=place, number=late[0])
        if not all(result.is_over for result in found.values()):
            return None
    return Over()


def going_on(standing: Standing, place: int) -> list[int]:
    """Name who goes on after a round, the best first; at least one who has a score."""
    found = standing.results[place]
    return ranked(found, is_lower_better=standing.is_lower_better)[
        : max(1, len(found) // max(1, standing.halving))
    ]


def ranked(found: Mapping[int, Result], *, is_lower_better: bool) -> list[int]:
    """Put trials with a score in order, the best first; of equals the one that came first."""
    sign = 1 if is_lower_better else -1
    scored = [
        (sign * one.score, number) for number, one in found.items() if one.score is not None
    ]
    return [number for _score, number in sorted(scored)]


def best(standing: Standing) -> tuple[int, int] | None:
    """Give the round that decides and the number of its winner; nothing without a score.

    Only trials that were trained as far are compared.
    """
    for place in reversed(range(len(standing.results))):
        order = ranked(standing.results[place], is_lower_better=standing.is_lower_better)
        if order:
            return place, order[0]
    return None

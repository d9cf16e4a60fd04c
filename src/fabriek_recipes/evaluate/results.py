"""Turns what models answered into scores with intervals, and the rows to look at."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from fabriek_recipes import evaluation
from fabriek_recipes.evaluate.asking import Answered
from fabriek_recipes.evaluate.measures import bins, calibration_error
from fabriek_recipes.evaluation import Bin, Score, Worst, cut
from fabriek_recipes.training.intervals import of_mean, of_ratio, of_share

ROWS_SHOWN = 10
SCORES_MAX = 20
DRAWS = 200
DECIMALS = 6
# What is either right or wrong in each row.
COUNTED = {"exact_match", "accuracy", "accuracy_by_length"}
OF_ALL = {"perplexity", "row_perplexity", "calibration_error"}
Bounds = tuple[float, float]


def of_exam(
    prefix: str, names: Sequence[str], told: Sequence[Sequence[Answered]], *, seed: int
) -> list[Score]:
    """Score the answers of one model, or of two and what lies between them."""
    found = [_score(prefix + name, name, told[0], seed) for name in names]
    if len(told) > 1:
        found += [_score(f"{prefix}{name}_second", name, told[1], seed) for name in names]
        found += [
            _difference(f"{prefix}{name}_difference", name, told, seed)
            for name in names
            if name not in OF_ALL
        ]
    return found


def reliability(answered: Sequence[Answered]) -> list[Bin]:
    """Compare how sure the model was of its choices with how often they were right."""
    chosen = [each for each in answered if each.question.choices]
    return bins(
        [each.said_chance for each in chosen], [each.values["accuracy"] for each in chosen]
    )


def shown(ranked: Sequence[Answered]) -> list[Worst]:
    """Show the first rows of a ranking."""
    return [
        Worst(
            row=str(each.question.line),
            truth=cut(each.target),
            said=cut(each.said),
            distance=round(max(-1e9, 1 - each.rank), DECIMALS),
            shown=cut(each.question.asked[-2_000:], evaluation.SHOWN_CELLS_MAX),
        )
        for each in ranked[:ROWS_SHOWN]
    ]


def _score(told: str, name: str, answered: Sequence[Answered], seed: int) -> Score:
    value, bounds = _measured(name, answered, seed)
    low, high = (round(bound, DECIMALS) for bound in bounds)
    return Score(name=told, value=round(value, DECIMALS), low=low, high=high)


def _measured(name: str, answered: Sequence[Answered], seed: int) -> tuple[float, Bounds]:
    if name == "calibration_error":
        return _calibration(answered, seed)
    if name in OF_ALL:
        losses = [each.loss for each in answered]
        by_row = name == "row_perplexity"  # as lm-eval counts it
        tokens = [1.0 if by_row else float(each.tokens) for each in answered]
        low, high = of_ratio(losses, tokens, seed=seed)
        return _raised(sum(losses) / sum(tokens)), (_raised(low), _raised(high))
    values = [each.values[name] for each in answered]
    mean = sum(values) / len(values)
    if name in COUNTED:
        return mean, of_share(round(sum(values)), len(values))
    return mean, of_mean(values, seed=seed)


def _raised(loss: float) -> float:
    return math.exp(min(loss, 600.0))  # beyond this there is no number; it says “hopeless” too


def _calibration(answered: Sequence[Answered], seed: int) -> tuple[float, Bounds]:
    # Not for secrets: the same seed must give the same interval on every machine.
    lot = random.Random(seed)  # noqa: S311
    drawn = sorted(
        calibration_error(reliability(lot.choices(answered, k=len(answered))))
        for _draw in range(DRAWS)
    )
    places = (round(0.025 * (DRAWS - 1)), round(0.975 * (DRAWS - 1)))
    return calibration_error(reliability(answered)), (drawn[places[0]], drawn[places[1]])


def _difference(told: str, name: str, both: Sequence[Sequence[Answered]], seed: int) -> Score:
    """Compare row by row: what is hard for both says nothing of which is better."""
    theirs = {id(each.question): each.values[name] for each in both[1]}
    values = [
        each.values[name] - theirs[id(each.question)]
        for each in both[0]
        if id(each.question) in theirs
    ]
    low, high = of_mean(values, seed=seed)
    mean = sum(values) / max(1, len(values))
    rounded = [round(one, DECIMALS) for one in (mean, low, high)]
    return Score(name=told, value=rounded[0], low=rounded[1], high=rounded[2])

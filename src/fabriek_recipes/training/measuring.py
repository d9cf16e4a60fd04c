"""Scores of labels and numbers on rows kept apart, each with the interval it lies in.

Shapes: N rows, K labels, R draws. The intervals are those of the bootstrap by percentile
(Efron, 1979): what the score would be on other rows like these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from fabriek_recipes.evaluation import (
    SHOWN_LABELS_MAX,
    Bin,
    Confusion,
    Label,
    Score,
    cut,
)

Matrix = NDArray[np.float64]
Codes = NDArray[np.int64]
Measure = Callable[[Codes], float]

DRAWS = 400
DRAWS_OF_MANY = 100
MANY_ROWS = 20_000
SMALLEST_CHANCE = 1e-15
BINS = 10
LOW, HIGH = 2.5, 97.5
# Of one group nothing can be drawn but itself.
GROUPS_MIN = 2
# Names of scores for which less is better: whoever compares two asks here.
LOWER_IS_BETTER = frozenset({"log_loss", "brier", "mae", "rmse", "mase", "smape"})
DECIMALS = 6


def of_labels(truth_N: Codes, chances_NK: Matrix) -> dict[str, Measure]:
    """Give each score of labels as a function of the rows that count."""
    said_N = chances_NK.argmax(axis=1)
    labels = chances_NK.shape[1]
    right_N = (said_N == truth_N).astype(float)
    loss_N = -np.log(np.maximum(chances_NK[np.arange(len(truth_N)), truth_N], SMALLEST_CHANCE))
    measures: dict[str, Measure] = {
        "macro_f1": lambda rows: _macro_f1(truth_N[rows], said_N[rows], labels),
        "accuracy": lambda rows: float(right_N[rows].mean()),
        "log_loss": lambda rows: float(loss_N[rows].mean()),
    }
    if labels == 2:  # noqa: PLR2004  chances of the one are those of the other
        chance_N = chances_NK[:, 1]
        measures["auc"] = lambda rows: _auc(truth_N[rows], chance_N[rows])
        measures["brier"] = lambda rows: float(((chance_N[rows] - truth_N[rows]) ** 2).mean())
    return measures


def of_numbers(truth_N: Matrix, said_N: Matrix) -> dict[str, Measure]:
    """Give each score of numbers as a function of the rows that count."""
    off_N = np.abs(truth_N - said_N)
    return {
        "mae": lambda rows: float(off_N[rows].mean()),
        "rmse": lambda rows: float(np.sqrt((off_N[rows] ** 2).mean())),
        "r2": lambda rows: _r2(truth_N[rows], off_N[rows]),
    }


def scores(
    measures: dict[str, Measure],
    rows: int,
    *,
    seed: int,
    yardstick: dict[str, Measure],
    before: dict[str, Measure] | None = None,
    groups: Codes | None = None,
) -> list[Score]:
    """Measure all, draw rows again and again for the intervals, and set the others beside.

    With `groups` (N) whole groups are drawn: rows of one group go right or wrong together, so
    that as many rows tell less. What cannot be measured on these rows is left out.
    """
    every = np.arange(rows)
    draws = _draws(rows, groups, seed)
    found = []
    for name, measure in measures.items():
        value = measure(every)
        drawn = np.array([measure(one) for one in draws])
        gained = drawn - np.array([yardstick[name](one) for one in draws])
        if name in LOWER_IS_BETTER:
            gained = -gained
        bounds, gain = _interval(drawn), _interval(gained)
        if not np.isfinite(value) or bounds is None:
            continue
        found.append(
            Score(
                name=name,
                value=_short(value),
                low=bounds[0],
                high=bounds[1],
                yardstick=_measured(yardstick[name](every)),
                before=_measured(before[name](every)) if before else None,
                gain_low=gain[0] if gain else None,
                gain_high=gain[1] if gain else None,
            )
        )
    return found


def _draws(rows: int, groups: Codes | None, seed: int) -> list[Codes]:
    """Draw as many rows, or groups, as there are, with some of them more than once."""
    luck = np.random.default_rng(seed)
    count = DRAWS if rows <= MANY_ROWS else DRAWS_OF_MANY
    if groups is None or len(np.unique(groups)) < GROUPS_MIN:
        return [luck.integers(0, rows, rows) for _draw in range(count)]
    places = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    return [
        np.concatenate([places[place] for place in luck.integers(0, len(places), len(places))])
        for _draw in range(count)
    ]


def summary(found: Sequence[Score]) -> dict[str, float | None]:
    """Give the scores as a run tells them: pairs of names by when they were measured."""
    told: dict[str, float | None] = {}
    for one in found:
        if one.before is not None:
            told[f"{one.name}_before"] = one.before
        told[f"{one.name}_yardstick"] = one.yardstick
        told[f"{one.name}_after"] = one.value
    return told


def is_beaten(found: Sequence[Score], name: str) -> bool:
    """Tell whether the yardstick does as well or better on this score."""
    one = _named(found, name)
    if one is None or one.yardstick is None:
        return False
    lower = name in LOWER_IS_BETTER
    return one.yardstick <= one.value if lower else one.yardstick >= one.value


def is_within_chance(found: Sequence[Score], name: str) -> bool:
    """Tell whether the gain over the yardstick may be luck: zero lies in its interval."""
    one = _named(found, name)
    return one is not None and one.gain_low is not None and one.gain_low <= 0


def _named(found: Sequence[Score], name: str) -> Score | None:
    return next((score for score in found if score.name == name), None)


def per_label(truth_N: Codes, said_N: Codes, names: Sequence[str]) -> list[Label]:
    """Say for each label how it fared, the most frequent first."""
    counts = _counts(truth_N, said_N, len(names))
    found = []
    for place in np.argsort(-counts.sum(axis=1), kind="stable")[:SHOWN_LABELS_MAX]:
        right = float(counts[place, place])
        rows, said = int(counts[place].sum()), int(counts[:, place].sum())
        found.append(
            Label(
                name=cut(names[place]),
                precision=right / said if said else 0.0,
                recall=right / rows if rows else 0.0,
                f1=2 * right / (rows + said) if rows + said else 0.0,
                rows=rows,
            )
        )
    return found


def confusion(truth_N: Codes, said_N: Codes, names: Sequence[str]) -> Confusion | None:
    """Count what was taken for what; nothing where there are too many labels to look at."""
    if len(names) > SHOWN_LABELS_MAX:
        return None
    counts = _counts(truth_N, said_N, len(names))
    return Confusion(labels=[cut(name) for name in names], counts=counts.tolist())


def reliability(truth_N: Codes, chances_NK: Matrix) -> list[Bin]:
    """Compare the chance that was said for the chosen label with how often it came true.

    With two labels, it is the chance of the second one.
    """
    if chances_NK.shape[1] == 2:  # noqa: PLR2004
        said_N, true_N = chances_NK[:, 1], (truth_N == 1).astype(float)
    else:
        said_N = chances_NK.max(axis=1)
        true_N = (chances_NK.argmax(axis=1) == truth_N).astype(float)
    places = np.minimum((said_N * BINS).astype(int), BINS - 1)
    return [
        Bin(
            said=_share(said_N[inside].mean()),
            came_true=_share(true_N[inside].mean()),
            rows=int(inside.sum()),
        )
        for place in range(BINS)
        if (inside := places == place).any()
    ]


def _counts(truth_N: Codes, said_N: Codes, labels: int) -> Codes:
    flat = np.bincount(truth_N * labels + said_N, minlength=labels * labels)
    return flat.reshape(labels, labels)


def _macro_f1(truth_N: Codes, said_N: Codes, labels: int) -> float:
    """Average over the labels that are there or were said."""
    counts = _counts(truth_N, said_N, labels)
    both = counts.sum(axis=0) + counts.sum(axis=1)
    there = both > 0
    return float((2 * counts.diagonal()[there] / both[there]).mean())


def _auc(truth_N: Codes, chance_N: Matrix) -> float:
    """Give the chance that a positive row is ranked above a negative (Mann-Whitney)."""
    positive = int(truth_N.sum())
    negative = len(truth_N) - positive
    if not positive or not negative:
        return float("nan")
    ranks = rankdata(chance_N)[truth_N == 1].sum()
    return float((ranks - positive * (positive + 1) / 2) / (positive * negative))


def _r2(truth_N: Matrix, off_N: Matrix) -> float:
    around = ((truth_N - truth_N.mean()) ** 2).sum()
    return float(1 - (off_N**2).sum() / around) if around else float("nan")


def _interval(drawn: Matrix) -> tuple[float, float] | None:
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return None
    low, high = np.percentile(known, [LOW, HIGH])
    return _short(low), _short(high)


def _share(value: float) -> float:
    return min(1.0, max(0.0, float(value)))


def _measured(value: float) -> float | None:
    return _short(value) if np.isfinite(value) else None


def _short(value: float) -> float:
    return round(float(value), DECIMALS)

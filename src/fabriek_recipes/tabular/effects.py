"""What each column is worth to a model, and where it leads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fabriek_recipes.evaluation import Effect, EffectPoint, cut
from fabriek_recipes.tabular.columns import Meaning
from fabriek_recipes.tabular.reading import Codes, Matrix

ROWS_MAX = 2_000
GRID_ROWS_MAX = 300
REPEATS = 3
SHOWN = 15
DRAWN = 6
POINTS = 12
WORDS_SHOWN = 10

Loss = Callable[[Matrix], float]
Answer = Callable[[Matrix], Matrix]


def importances(
    meanings: list[Meaning], features: Matrix, loss: Loss, *, seed: int
) -> dict[str, float]:
    """Measure how much worse it does when one column is shuffled, the largest first."""
    whole = loss(features)
    found: dict[str, float] = {}
    for one, places in _places(meanings):
        luck = np.random.default_rng(seed)
        lost = []
        for _repeat in range(REPEATS):
            shuffled = features.copy()
            shuffled[:, places] = features[luck.permutation(len(features))][:, places]
            lost.append(loss(shuffled) - whole)
        found[one.name] = float(np.mean(lost))
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def effects(
    meanings: list[Meaning], features: Matrix, worth: dict[str, float], answer: Answer
) -> list[Effect]:
    """Give the columns that matter most, the first of them with what the model says along it.

    Each point is the average answer when all rows have this value (partial dependence,
    Friedman 2001).
    """
    known = {one.name: (one, places) for one, places in _places(meanings)}
    shown = list(worth)[:SHOWN]
    rows = features[:GRID_ROWS_MAX]
    return [
        Effect(
            name=cut(name),
            importance=round(worth[name], 6),
            points=_points(*known[name], rows, features, answer) if place < DRAWN else [],
        )
        for place, name in enumerate(shown)
    ]


def sample(rows: int, *, seed: int) -> Codes:
    """Choose the rows to look at."""
    if rows <= ROWS_MAX:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, ROWS_MAX, replace=False))


def _places(meanings: list[Meaning]) -> list[tuple[Meaning, list[int]]]:
    found, first = [], 0
    for one in meanings:
        found.append((one, list(range(first, first + len(one.features)))))
        first += len(one.features)
    return found


def _points(
    one: Meaning, places: list[int], rows: Matrix, features: Matrix, answer: Answer
) -> list[EffectPoint]:
    place = places[0]
    made = []
    for value, name in _grid(one, features[:, place]):
        changed = rows.copy()
        changed[:, place] = value
        x = None if one.kind == "category" else float(value)
        made.append(EffectPoint(at=cut(name), x=x, y=float(answer(changed).mean())))
    return made


def _grid(one: Meaning, values: Matrix) -> list[tuple[float, str]]:
    if one.kind == "category":
        return [(float(code), word) for code, word in enumerate(one.words[:WORDS_SHOWN])]
    known = values[~np.isnan(values)]
    if not len(known):
        return []
    shown = np.unique(np.quantile(known, np.linspace(0.02, 0.98, POINTS), method="nearest"))
    if one.kind == "date":
        return [(float(day), str(np.datetime64(int(day), "D"))) for day in shown]
    return [(float(value), f"{value:.6g}") for value in shown]

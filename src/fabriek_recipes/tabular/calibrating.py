"""Sets chances right, so that of what is said to be 80 % sure four in five come true.

Chances stand as (N, K): N rows, K labels. Platt's sigmoid where rows are few, isotonic
regression where there are enough to bend a free line (Niculescu-Mizil and Caruana, 2005).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from fabriek_recipes.tabular.reading import Codes, Matrix

ISOTONIC_ROWS_MIN = 1_000
EDGE = 1e-6


class Line(BaseModel):
    """For one label: either a sigmoid of the log-odds, or a line through points."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["sigmoid", "points"]
    slope: float = 1.0
    shift: float = 0.0
    said: list[float] = []
    true: list[float] = []


def fit(truth: Codes, chances: Matrix) -> list[Line]:
    """Find a line for each label; with two labels, of the second only."""
    if len(np.unique(truth)) < chances.shape[1]:
        return []  # a label that is not there cannot be set right
    labels = [1] if chances.shape[1] == 2 else range(chances.shape[1])  # noqa: PLR2004
    return [_line(chances[:, label], (truth == label).astype(float)) for label in labels]


def apply(lines: list[Line], chances: Matrix) -> Matrix:
    """Set chances right; without lines they stay as they are."""
    if not lines:
        return chances
    if len(lines) == 1:
        second = _set_right(lines[0], chances[:, 1])
        return np.column_stack([1 - second, second])
    made = np.column_stack(
        [_set_right(line, chances[:, place]) for place, line in enumerate(lines)]
    )
    made = np.maximum(made, EDGE)
    whole: Matrix = made / made.sum(axis=1, keepdims=True)
    return whole


def _line(said: Matrix, true: Matrix) -> Line:
    if len(said) < ISOTONIC_ROWS_MIN:
        # Hardly any penalty, but some: rows that can be told apart wholly have no end.
        found = LogisticRegression(C=100).fit(_odds(said)[:, None], true)
        slope, shift = float(found.coef_[0, 0]), float(found.intercept_[0])
        return Line(kind="sigmoid", slope=slope, shift=shift)
    found = IsotonicRegression(y_min=EDGE, y_max=1 - EDGE).fit(said, true)
    return Line(
        kind="points", said=found.X_thresholds_.tolist(), true=found.y_thresholds_.tolist()
    )


def _set_right(line: Line, said: Matrix) -> Matrix:
    if line.kind == "points":
        return np.interp(said, line.said, line.true)
    made: Matrix = 1 / (1 + np.exp(-(line.slope * _odds(said) + line.shift)))
    return np.clip(made, EDGE, 1 - EDGE)


def _odds(said: Matrix) -> Matrix:
    kept = np.clip(said, EDGE, 1 - EDGE)
    odds: Matrix = np.log(kept / (1 - kept))
    return odds

"""The plain model beside the trees: a weight for each column, and the yardstick below both."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import BaseModel, ConfigDict
from sklearn.linear_model import LogisticRegression, RidgeCV

from fabriek_recipes.tabular.columns import Meaning
from fabriek_recipes.tabular.data import Data, Part
from fabriek_recipes.tabular.estimating import WIDE_MAX, WIDE_ROWS_MAX
from fabriek_recipes.tabular.reading import Codes, Matrix

# Enough to find a weight for each column; more rows move it behind the comma only.
ROWS_MAX = WIDE_ROWS_MAX
ROWS_AT_ONCE = 5_000
WIDTH_MAX = WIDE_MAX
WORDS_MAX = 50
# The penalties tried; the rows that say when to stop choose among them.
PENALTIES = (0.01, 0.1, 1.0, 10.0)
FURTHEST = 10.0


class Weights(BaseModel):
    """A plain model as numbers: `weights` (K, W) for W wide features, `shifts` (K)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: list[str]
    weights: list[list[float]]
    shifts: list[float]


def layout(meanings: list[Meaning], features: Matrix) -> list[str]:
    """Name the wide features of a table, by the rows that are learned from."""
    names: list[str] = []
    place = 0
    for one in meanings:
        for name in one.features:
            if one.kind == "category":
                names += [f"{name} = {word}" for word in one.words[: _words_max(meanings)]]
            else:
                names.append(name)
                if np.isnan(features[:, place]).any():
                    names.append(f"{name} ?")
            place += 1
    return names


def wide(meanings: list[Meaning], features: Matrix, names: list[str]) -> Matrix:
    """Make numbers of one scale, (N, W): categories as 0 and 1, missing as the middle."""
    # Filled in place: parts that are joined afterwards would take the memory twice.
    found = np.zeros((len(features), len(names)))
    places = {name: place for place, name in enumerate(names)}
    place = 0
    for one in meanings:
        for number, name in enumerate(one.features):
            values = features[:, place]
            place += 1
            if one.kind == "category":
                for code, word in enumerate(one.words[: _words_max(meanings)]):
                    found[:, places[f"{name} = {word}"]] = values == code
                continue
            middle, spread = one.middles[number], one.spreads[number]
            scaled = (np.where(np.isnan(values), middle, values) - middle) / spread
            # A cell a million times too large would throw all others out of sight.
            found[:, places[name]] = np.clip(scaled, -FURTHEST, FURTHEST)
            # Where nothing was missing while learning, there is nothing to say of it.
            if f"{name} ?" in places:
                found[:, places[f"{name} ?"]] = np.isnan(values)
    return found


def _words_max(meanings: list[Meaning]) -> int:
    categories = sum(one.kind == "category" for one in meanings)
    return max(2, min(WORDS_MAX, WIDTH_MAX // max(1, categories)))


class Baseline:
    """A plain model that has learned, by the library; kept as plain weights."""

    def __init__(self, data: Data, *, seed: int) -> None:
        """Learn from the rows to learn from, with the penalty that fits the others best."""
        self._meanings, self._labels = data.meanings, len(data.labels)
        rows = _some(len(data.learn), seed)
        learn, truth = data.learn.features[rows], data.learn.truth[rows]
        self._names = layout(data.meanings, learn)
        made = wide(data.meanings, learn, self._names)
        if data.is_number:
            self._model = RidgeCV(alphas=[10.0**power for power in range(-2, 5)])
            self._model.fit(made, truth)
            return
        codes = data.learn.codes[rows]
        self._model = min(
            (_logistic(made, codes, one) for one in PENALTIES),
            key=lambda model: self._loss(model, data.stop),
        )

    def numbers(self, features: Matrix) -> Matrix:
        """Predict numbers."""
        said = [np.asarray(self._model.predict(part)) for part in self._parts(features)]
        return np.concatenate(said) if said else np.zeros(0)

    def chances(self, features: Matrix) -> Matrix:
        """Predict chances, (N, K): labels it never saw have none."""
        return self._chances(self._model, features)

    def weights(self) -> Weights:
        """Give what it learned as plain numbers."""
        return Weights(
            names=self._names,
            weights=np.atleast_2d(self._model.coef_).tolist(),
            shifts=np.atleast_1d(self._model.intercept_).tolist(),
        )

    def _parts(self, features: Matrix) -> Iterator[Matrix]:
        """Give wide features for some rows at a time: all of a large table fill memory."""
        for start in range(0, len(features), ROWS_AT_ONCE):
            rows = features[start : start + ROWS_AT_ONCE]
            yield wide(self._meanings, rows, self._names)

    def _chances(self, model: LogisticRegression, features: Matrix) -> Matrix:
        found = np.zeros((len(features), self._labels))
        start = 0
        for part in self._parts(features):
            found[start : start + len(part), model.classes_] = model.predict_proba(part)
            start += len(part)
        return found

    def _loss(self, model: LogisticRegression, stop: Part) -> float:
        said = self._chances(model, stop.features)[np.arange(len(stop)), stop.codes]
        return float(-np.log(np.maximum(said, 1e-15)).mean())


def constant(data: Data, rows: int) -> Matrix:
    """Give what one says without looking: the shares of the labels, or the middle number."""
    if data.is_number:
        return np.full(rows, np.median(data.learn.truth))
    counts = np.bincount(data.learn.codes, minlength=len(data.labels)) + 1e-9
    return np.tile(counts / counts.sum(), (rows, 1))


def _logistic(made: Matrix, codes: Codes, strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=300, tol=1e-3).fit(made, codes)


def _some(rows: int, seed: int) -> Codes:
    if rows <= ROWS_MAX:
        return np.arange(rows)
    chosen = np.random.default_rng(seed).choice(rows, ROWS_MAX, replace=False)
    return np.sort(chosen).astype(np.int64)

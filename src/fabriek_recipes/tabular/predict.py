"""Loads a model of a table and predicts rows: `predict(folder, rows)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from pathlib import Path

import lightgbm
import numpy as np
from pydantic import ValidationError

from fabriek_recipes import tables
from fabriek_recipes.events import Json
from fabriek_recipes.tabular import boosting, calibrating, columns, model
from fabriek_recipes.tabular.columns import Meaning
from fabriek_recipes.tabular.model import Config
from fabriek_recipes.tabular.reading import LARGEST, Matrix
from fabriek_recipes.words import Failed, _


@dataclass(frozen=True, slots=True, eq=False)
class Predictor:
    """A model that was loaded."""

    config: Config
    booster: lightgbm.Booster

    def chances(self, features: Matrix) -> Matrix:
        """Predict chances that were set right, (N, K)."""
        return calibrating.apply(
            self.config.calibration, boosting.chances(self.booster, features)
        )

    def numbers(self, features: Matrix) -> Matrix:
        """Predict numbers, (N)."""
        return boosting.numbers(self.booster, features)

    def answers(self, features: Matrix) -> list[dict[str, Json]]:
        """Predict each row of (N, F): a label with the chances of all, or a number."""
        if not len(features):
            return []
        if not self.config.labels:
            return [{"value": float(one)} for one in self.numbers(features)]
        labels = self.config.labels
        return [
            {
                "label": labels[int(row.argmax())],
                "chances": {label: float(one) for label, one in zip(labels, row, strict=True)},
            }
            for row in self.chances(features)
        ]


def predict(folder: Path, rows: Sequence[Mapping[str, object]]) -> list[dict[str, Json]]:
    """Predict rows (a value for each name of a column) with the model in `folder`.

    Columns that are not given count as missing; others are not looked at. A number or a day of
    Python is taken as it is; a text is read as the table that was learned from was written.

    Raises:
        Failed: `bad_model`, when the folder holds no whole model of a table.
    """
    found = load(folder)
    return found.answers(_features(found.config.columns, rows))


def load(folder: Path | str) -> Predictor:
    """Load a model. Raises: Failed, as above."""
    try:
        config = Config.model_validate_json((Path(folder) / model.CONFIG).read_bytes())
        trees = (Path(folder) / model.TREES).read_text(encoding="utf-8")
        booster = lightgbm.Booster(model_str=trees)
        if booster.num_feature() != config.trees:
            raise ValueError("its trees are of another table")  # noqa: TRY301
    except (OSError, ValueError, ValidationError, lightgbm.basic.LightGBMError) as why:
        raise Failed(
            "bad_model",
            _("This is no whole model of a table (%(why)s); fetch it again."),
            why=" ".join(str(why).split())[:200],
        ) from why
    return Predictor(config, booster)


def _features(meanings: Sequence[Meaning], rows: Sequence[Mapping[str, object]]) -> Matrix:
    parts = [_column(one, [row.get(one.name) for row in rows]) for one in meanings]
    return np.column_stack(parts) if parts else np.zeros((len(rows), 0))


def _column(one: Meaning, cells: Sequence[object]) -> Matrix:
    """Give the features of one column, (N, 1) or (N, 4), NaN where it is missing."""
    if one.kind == "category":
        places = {word: place for place, word in enumerate(one.words)}
        words = [tables.text_of(cell) for cell in cells]
        return np.array(
            [np.nan if word is None else float(places.get(word, len(places))) for word in words]
        )[:, None]
    read = np.array([_figure(one, cell) for cell in cells], dtype=np.float64)
    return read[:, None] if one.kind == "number" else columns.spread_days(read)[:-1]


def _figure(one: Meaning, cell: object) -> float:
    """Read a number, or the seconds of a day as the clock on the wall showed it."""
    is_number = isinstance(cell, Real | Decimal) and not isinstance(cell, bool)
    if one.kind == "number" and is_number:
        figure = float(cell)  # type: ignore[arg-type]  # it is one of both
        return figure if abs(figure) <= LARGEST else float("nan")
    # A day of Python is written with its year first, which is read in any column of days.
    text = tables.text_of(cell)
    return float("nan") if text is None else float(columns.readings([text], one)[0])

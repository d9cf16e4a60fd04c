"""The model of a table as files: `config.json`, `trees.txt`, `baseline.json`; no pickles."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from fabriek_recipes.tabular.baseline import Weights
from fabriek_recipes.tabular.calibrating import Line
from fabriek_recipes.tabular.columns import Meaning

CONFIG, TREES, BASELINE = "config.json", "trees.txt", "baseline.json"


class Config(BaseModel):
    """What turns a row of a table into numbers, and numbers into an answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fabriek: Literal["tabular"] = "tabular"
    format: Literal[1] = 1
    target: str
    labels: list[str]
    """The labels in the order of their chances; none where a number is predicted."""
    target_comma: bool = False
    columns: list[Meaning]
    calibration: list[Line]
    trees: int
    """How many features the trees expect: a check that both belong together."""


def write(folder: Path, config: Config, trees: str, weights: Weights) -> None:
    """Write the files of a model."""
    (folder / CONFIG).write_text(config.model_dump_json(indent=1), encoding="utf-8")
    (folder / TREES).write_text(trees, encoding="utf-8")
    (folder / BASELINE).write_text(weights.model_dump_json(), encoding="utf-8")

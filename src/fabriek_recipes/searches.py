"""Which settings of a recipe can be searched, from where to where, and by which score.

Only settings that leave the rows kept apart and the measure as they are: of two that are scored
on other rows, or in another unit, nobody can tell which is better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from fabriek_recipes.kinds import Recipe
from fabriek_recipes.recipe import catalogue

Kind = Literal["integer", "number", "choice"]
# Scores of which less is better.
LOWER_IS_BETTER = frozenset({"loss", "log_loss", "brier", "mae", "rmse", "mase", "smape"})
CHOICES_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Where to search one setting: from `low` to `high`, or among `choices`.

    `log`: as many tries between 0.001 and 0.01 as between 0.01 and 0.1.
    """

    name: str
    kind: Kind
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    choices: tuple[str | int | bool, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What can be searched of one recipe; `suggested` is where most begin.

    `scores`: by which can be chosen, the best first; a run has those that its data allows.
    """

    ranges: Mapping[str, Range]
    suggested: tuple[str, ...]
    scores: tuple[str, ...]
    goes_on: bool = False
    """It can do a part of its steps, and go on from there when it is among the best."""


@dataclass(frozen=True, slots=True)
class _Around:
    """From the default divided by `times` to that many times it, within its bounds."""

    times: float


@dataclass(frozen=True, slots=True)
class _Between:
    low: float
    high: float
    log: bool = False


@dataclass(frozen=True, slots=True)
class _Any:
    """All that the setting may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    scores: tuple[str, ...]
    suggested: tuple[str, ...]
    where: Mapping[str, _Around | _Between | _Any] = field(default_factory=dict)


_LEARNING: Mapping[str, _Around | _Between | _Any] = {
    "learning_rate": _Around(10),
    "weight_decay": _Between(0.001, 0.3, log=True),
    "warmup_percent": _Between(0, 20),
    "gradient_norm_max": _Between(0.1, 5.0, log=True),
}
_LORA: Mapping[str, _Around | _Between | _Any] = {
    "lora_rank": _Between(4, 64, log=True),
    "lora_alpha": _Between(8, 128, log=True),
    "lora_dropout": _Between(0.0, 0.2),
    "method": _Any(),
}
_LABELS = ("macro_f1", "log_loss", "accuracy", "auc")

_KNOWN: Mapping[str, _Known] = {
    "finetune_lm": _Known(
        scores=("loss",),
        suggested=("learning_rate", "lora_rank", "weight_decay"),
        where={
            **_LEARNING,
            **_LORA,
            "tokens_per_step": _Around(4),
            "epochs": _Between(1, 6),
        },
    ),
    "prefer_lm": _Known(
        scores=("preference", "moved_right"),
        suggested=("learning_rate", "beta"),
        where={
            **_LEARNING,
            **_LORA,
            "beta": _Around(10),
            "tokens_per_step": _Around(4),
            "epochs": _Between(1, 4),
        },
    ),
    "pretrain_lm": _Known(
        scores=("loss",),
        suggested=("learning_rate", "weight_decay", "tokens_per_step"),
        where={
            **_LEARNING,
            "learning_rate": _Between(0.0001, 0.01, log=True),  # its default, 0, is a word
            "tokens_per_step": _Around(4),
            "epochs": _Between(1, 6),
            "size": _Any(),
        },
    ),
    "tabular": _Known(
        scores=("log_loss", "rmse", "macro_f1", "auc", "mae"),
        suggested=("learning_rate", "leaves", "rows_per_leaf"),
        where={
            "learning_rate": _Between(0.01, 0.3, log=True),
            "leaves": _Between(4, 256, log=True),
            "rows_per_leaf": _Between(5, 200, log=True),
            "rounds_max": _Between(100, 5_000, log=True),
            "patience": _Between(20, 200, log=True),
        },
    ),
    "classify_text": _Known(
        scores=_LABELS,
        suggested=("learning_rate", "rows_per_step", "weight_decay"),
        where={
            **_LEARNING,
            "rows_per_step": _Around(4),
            "epochs": _Between(1, 8),
            "lora_rank": _LORA["lora_rank"],
            "method": _Any(),
        },
    ),
    "forecast": _Known(
        # In percent: the other error is measured by the season itself.
        scores=("smape",),
        suggested=("season",),
        where={"season": _Between(0, 60)},
    ),
    "classify_images": _Known(
        scores=_LABELS,
        suggested=("learning_rate", "pictures_per_step", "weight_decay"),
        where={
            **_LEARNING,
            "pictures_per_step": _Around(4),
            "epochs": _Between(2, 20),
            "mirrored": _Any(),
        },
    ),
}


@cache
def searchable() -> dict[str, Search]:
    """Give every recipe of which settings can be searched, by name."""
    known = {name: _KNOWN[name] for name in catalogue() if name in _KNOWN}
    return {name: _search(catalogue()[name], one) for name, one in known.items()}


def is_lower_better(score: str) -> bool:
    """Tell which way a score is good."""
    return score in LOWER_IS_BETTER


def _search(recipe: Recipe, known: _Known) -> Search:
    schema = recipe.knobs.model_json_schema()["properties"]
    return Search(
        ranges={name: _range(name, where, schema[name]) for name, where in known.where.items()},
        suggested=known.suggested,
        scores=known.scores,
        goes_on="checkpoint_every_steps" in schema,
    )


def _range(name: str, where: _Around | _Between | _Any, field_: Mapping[str, object]) -> Range:
    kind = str(field_.get("type", ""))
    if isinstance(where, _Any):
        choices = [False, True] if kind == "boolean" else field_["enum"]
        return Range(name=name, kind="choice", choices=tuple(choices))  # type: ignore[arg-type]
    log = not isinstance(where, _Between) or where.log
    if isinstance(where, _Around):
        default = float(field_["default"])  # type: ignore[arg-type]
        low, high = default / where.times, default * where.times
    else:
        low, high = where.low, where.high
    least = float(field_.get("minimum", low))  # type: ignore[arg-type]
    most = float(field_.get("maximum", high))  # type: ignore[arg-type]
    is_whole = kind == "integer"
    low, high = max(low, least), min(high, most)
    return Range(
        name=name,
        kind="integer" if is_whole else "number",
        low=round(low) if is_whole else low,
        high=round(high) if is_whole else high,
        log=log,
    )

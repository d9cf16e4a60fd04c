"""How far forecasts were off on stretches of the past, where something was measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fabriek_recipes.forecast.methods import Ahead
from fabriek_recipes.forecast.series import Series, Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One try on the past: errors of the chosen method and of the yardstick."""

    moments: int
    """How many of its moments were measured."""
    mase: float
    smape: float
    coverage: float
    yardstick_mase: float
    yardstick_smape: float
    yardstick_coverage: float


def window(true: Values, usually: float, said: tuple[Ahead, Ahead]) -> Window:
    """Compare what the chosen method and the yardstick said with what was."""
    one, other = (_errors(true, usually, each) for each in said)
    return Window(
        moments=int((~np.isnan(true)).sum()),
        mase=one[0],
        smape=one[1],
        coverage=one[2],
        yardstick_mase=other[0],
        yardstick_smape=other[1],
        yardstick_coverage=other[2],
    )


def usual(one: Series, end: int, season: int) -> float:
    """Give how far repeating the last season was off before `end`, on what was measured."""
    season = season if end > season else 1
    off = np.abs(one.values[season:end] - one.values[: end - season])
    known = off[~np.isnan(off)]
    if not len(known):  # each measured moment has a hole a season away
        filled = one.past(end)
        known = np.abs(filled[season:] - filled[:-season])
    return float(known.mean())


def _errors(true: Values, usually: float, found: Ahead) -> tuple[float, ...]:
    """Give MASE (Hyndman and Koehler, 2006), sMAPE, and what fell between the bounds.

    Only where something was measured: a filled hole is nobody's figure.
    """
    known = ~np.isnan(true)
    true, said = true[known], found.said[known]
    off = np.abs(true - said)
    size = np.abs(true) + np.abs(said)
    smape = np.divide(2 * off, size, out=np.zeros_like(off), where=size > 0)
    inside = (true >= found.low[known]) & (true <= found.high[known])
    mase = float(off.mean()) / usually if usually else float(off.mean() > 0)
    return mase, float(smape.mean()), float(inside.mean())

"""The ways to forecast one series, each with bounds: by the library, and the yardstick."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.forecasting.theta import ThetaModel

from fabriek_recipes.forecast.series import Values

YARDSTICK = "seasonal naive"
# A season of more steps has more numbers to find than a series has moments.
ETS_SEASON_MAX = 24
SEASONS_MIN = 2
HEURISTIC_MIN = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ahead:
    """A forecast: what is said, and the bounds."""

    said: Values
    low: Values
    high: Values

    @property
    def is_finite(self) -> bool:
        """Tell whether every figure is a number."""
        return bool(np.isfinite(np.concatenate([self.said, self.low, self.high])).all())


Method = Callable[[Values, int, int, float], Ahead]


def repeat(values: Values, season: int, horizon: int, share: float) -> Ahead:
    """Repeat the last season; bounds by how far off that was in the past."""
    season = season if len(values) > season else 1
    last = values[-season:]
    said = np.tile(last, -(-horizon // season))[:horizon]
    off = values[season:] - values[:-season]
    seasons = np.arange(horizon) // season + 1
    around = _normal(share) * (off.std() if len(off) > 1 else abs(last[-1])) * np.sqrt(seasons)
    return Ahead(said=said, low=said - around, high=said + around)


def smooth(values: Values, season: int, horizon: int, share: float) -> Ahead:
    """Smooth exponentially with a damped trend, and a season where there are enough (ETS)."""
    has_season = 1 < season <= ETS_SEASON_MAX and len(values) >= SEASONS_MIN * season + 2
    is_long = len(values) >= max(HEURISTIC_MIN, SEASONS_MIN * season)
    model = ETSModel(
        pandas.Series(values),
        error="add",
        trend="add",
        damped_trend=True,
        seasonal="add" if has_season else None,
        seasonal_periods=season if has_season else None,
        # Not learned too: seven times as fast, and as good where there are enough.
        initialization_method="heuristic" if is_long else "estimated",
    )
    fitted = model.fit(disp=False, maxiter=100)
    start = len(values)
    told = fitted.get_prediction(start=start, end=start + horizon - 1)
    frame = told.summary_frame(alpha=1 - share)
    return Ahead(
        said=np.asarray(frame["mean"], dtype=float),
        low=np.asarray(frame["pi_lower"], dtype=float),
        high=np.asarray(frame["pi_upper"], dtype=float),
    )


def theta(values: Values, season: int, horizon: int, share: float) -> Ahead:
    """Draw a line and smooth what is left of it (Theta; Assimakopoulos, Nikolopoulos, 2000)."""
    has_season = season > 1 and len(values) >= SEASONS_MIN * season
    model = ThetaModel(
        pandas.Series(values),
        period=season if has_season else 1,
        deseasonalize=has_season,
        method="additive" if (values <= 0).any() else "auto",
    )
    fitted = model.fit(disp=False)
    said = np.asarray(fitted.forecast(horizon), dtype=float)
    bounds = fitted.prediction_intervals(horizon, alpha=1 - share)
    return Ahead(
        said=said,
        low=np.asarray(bounds.iloc[:, 0], dtype=float),
        high=np.asarray(bounds.iloc[:, 1], dtype=float),
    )


METHODS: dict[str, Method] = {YARDSTICK: repeat, "ETS": smooth, "Theta": theta}


def ahead(name: str, values: Values, season: int, horizon: int, share: float) -> Ahead | None:
    """Forecast by a method; nothing where it finds no numbers for this series."""
    with warnings.catch_warnings():
        # Told by thousands for dull series, and of no use to whoever reads the log.
        warnings.simplefilter("ignore")
        try:
            found = METHODS[name](values, season, horizon, share)
        except (ValueError, np.linalg.LinAlgError, ZeroDivisionError, FloatingPointError):
            return None
    return found if found.is_finite else None


def _normal(share: float) -> float:
    return NormalDist().inv_cdf((1 + share) / 2)

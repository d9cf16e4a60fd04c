"""What came of forecasts: their scores, what a page shows of them, the files of the model."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fabriek_recipes import evaluation
from fabriek_recipes.evaluation import Evaluation, ForecastPoint, Score
from fabriek_recipes.evaluation import Series as Shown
from fabriek_recipes.forecast.errors import Window
from fabriek_recipes.forecast.knobs import Knobs
from fabriek_recipes.forecast.methods import YARDSTICK
from fabriek_recipes.forecast.series import Series
from fabriek_recipes.training import measuring
from fabriek_recipes.training.process import Job
from fabriek_recipes.words import Sentence, _

SHOWN = 30
DRAWN = 6
POINTS_BEFORE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one series: the method, its tries, the last of them, and what comes."""

    name: str
    method: str
    windows: list[Window]
    tried: list[list[float]]
    """What the last try said, and its bounds: three lists."""
    ahead: list[list[float]]


def scores(job: Job[Knobs], results: Sequence[Result]) -> list[Score]:
    windows = [window for one in results for window in one.windows]
    # Tries on one series go well or badly together; of a single series they are all there is.
    groups = np.repeat(np.arange(len(results)), [len(one.windows) for one in results])

    def measure(field: str) -> measuring.Measure:
        values = np.array([getattr(window, field) for window in windows])
        return lambda rows: float(values[rows].mean())

    names = ("mase", "smape", "coverage")
    return measuring.scores(
        {name: measure(name) for name in names},
        len(windows),
        seed=job.manifest.seed,
        yardstick={name: measure(f"yardstick_{name}") for name in names},
        groups=groups,
    )


def evaluated(
    job: Job[Knobs], found: Sequence[Series], results: Sequence[Result], scored: list[Score]
) -> Evaluation:
    pairs = sorted(
        zip(found, results, strict=True), key=lambda pair: -_mean(pair[1].windows, "mase")
    )
    remarks = _remarks(job, results, scored)
    if measuring.is_beaten(scored, "mase"):
        job.events.warning("yardstick", remarks[0])
    return Evaluation(
        rows=sum(window.moments for one in results for window in one.windows),
        remarks=[evaluation.told(one) for one in remarks],
        scores=scored,
        series=[
            Shown(
                name=evaluation.cut(one.name or job.knobs.value_column),
                model=result.method,
                error=round(_mean(result.windows, "mase"), 4),
                yardstick=round(_mean(result.windows, "yardstick_mase"), 4),
                points=_points(job, one, result) if place < DRAWN else [],
            )
            for place, (one, result) in enumerate(pairs[:SHOWN])
        ],
    )


def _remarks(job: Job[Knobs], results: Sequence[Result], scored: list[Score]) -> list[Sentence]:
    if measuring.is_beaten(scored, "mase"):
        text = _(
            "Repeating the last season does as well or better: use that. What comes does not "
            "follow from these figures alone, or there are too few of them."
        )
    elif measuring.is_within_chance(scored, "mase"):
        text = _(
            "The forecast does a little better than repeating the last season, by no more than "
            "chance could give; more tries on the past would tell."
        )
    else:
        text = _("The forecast does better than repeating the last season.")
    plain = sum(one.method == YARDSTICK for one in results)
    counted = _("For %(plain)s of %(count)s series repeating the last season was chosen.")
    bounds = next(score for score in scored if score.name == "coverage")
    sure = _(
        "The bounds should hold %(asked)s %% of what comes; on the past they held %(held)s %%."
    )
    return [
        Sentence(text),
        Sentence(counted, plain=plain, count=len(results)),
        Sentence(sure, asked=job.knobs.interval_percent, held=round(100 * bounds.value)),
    ]


def _points(job: Job[Knobs], one: Series, result: Result) -> list[ForecastPoint]:
    """Show the end of the past, what the last try said of it, and what comes."""
    length, horizon = len(one), job.knobs.horizon
    first = max(0, length - min(120, POINTS_BEFORE + horizon))
    tried = dict(
        zip(range(length - horizon, length), zip(*result.tried, strict=True), strict=True)
    )
    comes = zip(
        range(length, length + min(horizon, 80)), zip(*result.ahead, strict=True), strict=False
    )
    told, known = tried | dict(comes), one.is_known
    return [
        ForecastPoint(
            at=one.moment(place),
            actual=float(one.values[place]) if place < length and known[place] else None,
            said=told[place][0] if place in told else None,
            low=told[place][1] if place in told else None,
            high=told[place][2] if place in told else None,
        )
        for place in range(first, length + min(horizon, 80))
    ]


def write(
    folder: Path,
    job: Job[Knobs],
    found: Sequence[Series],
    results: Sequence[Result],
    season: int,
) -> None:
    knobs, step = job.knobs, found[0].step
    config = {
        "fabriek": "forecast",
        "format": 1,
        "time": knobs.time_column,
        "value": knobs.value_column,
        "series": knobs.series_column,
        "step": {"unit": step.unit, "count": step.count},
        "season": season,
        "horizon": knobs.horizon,
        "interval_percent": knobs.interval_percent,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    made = {
        one.name: {
            "model": result.method,
            "mase": round(_mean(result.windows, "mase"), 6),
            "yardstick_mase": round(_mean(result.windows, "yardstick_mase"), 6),
            "moments": len(one),
            "last": one.moment(len(one) - 1),
        }
        for one, result in zip(found, results, strict=True)
    }
    text = json.dumps({"series": made}, indent=1, ensure_ascii=False)
    (folder / "models.json").write_text(text, encoding="utf-8")
    with (folder / "forecast.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["series", "time", "forecast", "at_least", "at_most"])
        for one, result in zip(found, results, strict=True):
            for place, figures in enumerate(zip(*result.ahead, strict=True)):
                moment = one.moment(len(one) + place)
                rows.writerow([one.name, moment, *(f"{figure:.6g}" for figure in figures)])


def _mean(windows: Sequence[Window], field: str) -> float:
    return float(np.mean([getattr(window, field) for window in windows]))

"""Forecasts: read, choose a method for each series, try it on the past, leave what comes."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from fabriek_recipes import evaluation
from fabriek_recipes.evaluation import Evaluation, ForecastPoint, Score
from fabriek_recipes.evaluation import Series as Shown
from fabriek_recipes.events import Json
from fabriek_recipes.forecast import errors, methods, series
from fabriek_recipes.forecast.errors import Window
from fabriek_recipes.forecast.knobs import Knobs, fits_of
from fabriek_recipes.forecast.methods import METHODS, YARDSTICK, Ahead
from fabriek_recipes.forecast.series import Series, Values
from fabriek_recipes.training import measuring, reporting
from fabriek_recipes.training.identity import Clock, fingerprint
from fabriek_recipes.training.process import Job
from fabriek_recipes.training.trial import Trial, process_bytes
from fabriek_recipes.words import Sentence, _

SHOWN = 30
DRAWN = 6
POINTS_BEFORE = 60
CHOOSING = 2
DONE = "series.jsonl"
# Of how errors are measured: what was kept under other rules is not set beside it.
RULES = 2
TOLD_EVERY = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one series: the method, its tries, the last of them, and what comes."""

    name: str
    method: str
    windows: list[Window]
    tried: list[list[float]]
    """What the last try said, and its bounds: three lists."""
    ahead: list[list[float]]


def train(job: Job[Knobs]) -> None:
    """Run the recipe in the job's folder; series that were done before are not done again."""
    if not job.group.seat.leads:
        return  # there is nothing to share: one process does all
    clock = Clock()
    job.events.stage(_("Reading the table"))
    found = series.read(job)
    job.stop.check()
    job.events.stage(_("Learning"))
    season = job.knobs.season or found[0].step.season
    results = _results(job, found, season)
    job.events.stage(_("Scoring after"))
    scores = _scores(job, results)
    told = _evaluated(job, found, results, scores)
    job.events.stage(_("Saving"))
    reporting.whole(
        job.outputs / "model", lambda aside: _write(aside, job, found, results, season)
    )
    evaluation.save(job.folder, told)
    summary = measuring.summary(scores)
    job.events.result(summary)
    facts: dict[str, Json] = {
        "scores": dict(summary),
        "series": len(found),
        "rows_trained": sum(int(one.is_known.sum()) for one in found),
        "rows_held_out": sum(window.moments for one in results for window in one.windows),
        "season": season,
        "device": "cpu",
        "seconds": clock.seconds(),
    }
    reporting.report(job.folder, facts, "statsmodels", "numpy", "scipy")


# --- one series after the other ----------------------------------------------------------
def _results(job: Job[Knobs], found: Sequence[Series], season: int) -> list[Result]:
    """Do each series and keep it at once, so that a stopped run goes on after the last.

    Raises:
        Tried: after the first series, of a dry run.
    """
    trial = Trial(job.manifest.limits.steps_max, process_bytes)
    path = job.checkpoints / DONE
    run = f"{fingerprint(job)} {RULES}"
    done = _kept(path, run)
    results = []
    with path.open("a", encoding="utf-8") as file:
        for place, one in enumerate(found):
            result = done.get(one.name)
            if result is None:
                job.stop.check()
                started = time.monotonic()
                result = _result(job, one, season)
                took, moments = time.monotonic() - started, int(one.is_known.sum())
                is_last = place == len(found) - 1
                trial.note(took, moments * fits_of(job.knobs), is_last=is_last)
                kept = {"run": run, **asdict(result)}
                file.write(json.dumps(kept) + "\n")
                file.flush()
            results.append(result)
            job.events.progress(place + 1, len(found), "series")
            if place % TOLD_EVERY == TOLD_EVERY - 1 or place == len(found) - 1:
                tried = [window.mase for one in results for window in one.windows]
                job.events.metrics(place + 1, mase=float(np.mean(tried)))
    return results


def _kept(path: Path, run: str) -> dict[str, Result]:
    """Read what was done before; half a line, of a process that was killed, is not done."""
    found = {}
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    for line in whole.splitlines():
        kept = json.loads(line)
        if kept.pop("run") == run:
            windows = [Window(**window) for window in kept.pop("windows")]
            found[kept["name"]] = Result(windows=windows, **kept)
    return found


def _result(job: Job[Knobs], one: Series, season: int) -> Result:
    knobs = job.knobs
    origins = _origins(one, knobs, season)
    method = _chosen(job, one, origins[0], season)
    share = knobs.interval_percent / 100
    windows, last = [], None
    for origin in origins:
        job.stop.check()
        past, true = one.past(origin), one.values[origin : origin + knobs.horizon]
        last = _ahead(method, past, season, knobs.horizon, share)
        yardstick = methods.repeat(past, season, knobs.horizon, share)
        usual = errors.usual(one, origin, season)
        windows.append(errors.window(true, usual, (last, yardstick)))
    comes = _ahead(method, one.past(len(one)), season, knobs.horizon, share)
    return Result(
        name=one.name,
        method=method,
        windows=windows,
        tried=_lists(last) if last else [],
        ahead=_lists(comes),
    )


def _origins(one: Series, knobs: Knobs, season: int) -> list[int]:
    """Give where tries begin: the last ends where the series does, each a horizon apart.

    The first leaves two seasons before it where there are so many, and six moments at least.
    A stretch in which nothing was measured tells nothing; the last moment always was.
    """
    length, known = len(one), one.is_known
    least = max(series.LEAST, min(2 * season, length - knobs.horizon))
    origins = [length - knobs.horizon * (back + 1) for back in range(knobs.windows)]
    shown = [
        origin
        for origin in sorted(origins)
        if origin >= least and known[origin : origin + knobs.horizon].any()
    ]
    return shown or [length - knobs.horizon]


def _chosen(job: Job[Knobs], one: Series, end: int, season: int) -> str:
    """Choose the method that did best on stretches before all that is scored."""
    knobs = job.knobs
    tried: dict[str, list[float]] = {name: [] for name in METHODS}
    share = knobs.interval_percent / 100
    for back in range(1, CHOOSING + 1):
        origin = end - back * knobs.horizon
        if origin < max(series.LEAST, season + 1):
            break
        true = one.values[origin : origin + knobs.horizon]
        if np.isnan(true).all():
            continue
        for name in METHODS:
            job.stop.check()
            found = methods.ahead(name, one.past(origin), season, knobs.horizon, share)
            off = np.inf if found is None else float(np.nanmean(np.abs(true - found.said)))
            tried[name].append(off)
    if not tried[YARDSTICK]:
        return "Theta"  # too short to choose; it needs the fewest moments and does well
    return min(METHODS, key=lambda name: float(np.mean(tried[name])))


def _ahead(method: str, past: Values, season: int, horizon: int, share: float) -> Ahead:
    found = methods.ahead(method, past, season, horizon, share)
    return found or methods.repeat(past, season, horizon, share)


# --- what came of it ---------------------------------------------------------------------
def _scores(job: Job[Knobs], results: Sequence[Result]) -> list[Score]:
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


def _evaluated(
    job: Job[Knobs], found: Sequence[Series], results: Sequence[Result], scores: list[Score]
) -> Evaluation:
    pairs = sorted(
        zip(found, results, strict=True), key=lambda pair: -_mean(pair[1].windows, "mase")
    )
    remarks = _remarks(job, results, scores)
    if measuring.is_beaten(scores, "mase"):
        job.events.warning("yardstick", remarks[0])
    return Evaluation(
        rows=sum(window.moments for one in results for window in one.windows),
        remarks=[evaluation.told(one) for one in remarks],
        scores=scores,
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


def _remarks(job: Job[Knobs], results: Sequence[Result], scores: list[Score]) -> list[Sentence]:
    if measuring.is_beaten(scores, "mase"):
        text = _(
            "Repeating the last season does as well or better: use that. What comes does not "
            "follow from these figures alone, or there are too few of them."
        )
    elif measuring.is_within_chance(scores, "mase"):
        text = _(
            "The forecast does a little better than repeating the last season, by no more than "
            "chance could give; more tries on the past would tell."
        )
    else:
        text = _("The forecast does better than repeating the last season.")
    plain = sum(one.method == YARDSTICK for one in results)
    counted = _("For %(plain)s of %(count)s series repeating the last season was chosen.")
    bounds = next(score for score in scores if score.name == "coverage")
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


def _write(
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


def _lists(found: Ahead) -> list[list[float]]:
    return [found.said.tolist(), found.low.tolist(), found.high.tolist()]


def _mean(windows: Sequence[Window], field: str) -> float:
    return float(np.mean([getattr(window, field) for window in windows]))

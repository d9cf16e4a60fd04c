"""Forecasts: read, choose a method for each series, try it on the past, leave what comes."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from fabriek_recipes import evaluation
from fabriek_recipes.events import Json
from fabriek_recipes.forecast import errors, methods, series
from fabriek_recipes.forecast import results as came
from fabriek_recipes.forecast.errors import Window
from fabriek_recipes.forecast.knobs import Knobs, fits_of
from fabriek_recipes.forecast.methods import METHODS, YARDSTICK, Ahead
from fabriek_recipes.forecast.results import Result
from fabriek_recipes.forecast.series import Series, Values
from fabriek_recipes.training import measuring, reporting
from fabriek_recipes.training.identity import Clock, fingerprint
from fabriek_recipes.training.process import Job
from fabriek_recipes.training.trial import Trial, process_bytes
from fabriek_recipes.words import _

CHOOSING = 2
DONE = "series.jsonl"
# Of how errors are measured: what was kept under other rules is not set beside it.
RULES = 3
TOLD_EVERY = 20


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
    scored = came.scores(job, results)
    told = came.evaluated(job, found, results, scored)
    job.events.stage(_("Saving"))
    reporting.whole(
        job.outputs / "model", lambda aside: came.write(aside, job, found, results, season)
    )
    evaluation.save(job.folder, told)
    summary = measuring.summary(scored)
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
    origins = _origins(one, knobs)
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


def _origins(one: Series, knobs: Knobs) -> list[int]:
    """Give where tries begin: the last ends where the series does, each a horizon apart.

    The first leaves two seasons of the step before it where there are so many, and six moments
    at least. Not those of a season that was chosen: scores of two lengths are of equal tries.
    A stretch in which nothing was measured tells nothing; the last moment always was.
    """
    length, known = len(one), one.is_known
    least = max(series.LEAST, min(2 * one.step.season, length - knobs.horizon))
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


def _lists(found: Ahead) -> list[list[float]]:
    return [found.said.tolist(), found.low.tolist(), found.high.tolist()]

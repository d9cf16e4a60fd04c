"""How experiments and runs look in the words of MLflow: the same for both kinds of run."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek.tracking import doors, queries
from fabriek.tracking.actions import OF_THE_FACTORY, RUN_NAME
from fabriek.tracking.models import Experiment, Status, Tracked
from fabriek.tracking.packing import Point

Json = dict[str, Any]
# An experiment of ours has a number; that with the factory's own runs of a case is named so.
RUNS_OF = "runs-"
STATUS = {
    RunState.RUNNING: Status.RUNNING,
    RunState.SUCCEEDED: Status.FINISHED,
    RunState.FAILED: Status.FAILED,
    RunState.LOST: Status.FAILED,
    RunState.CANCELLED: Status.KILLED,
}


def experiment(one: Experiment) -> Json:
    return _experiment(str(one.pk), one.name, queries.milliseconds(one.made_at))


def experiment_of_the_factory(code: str) -> Json:
    """Show the runs of the factory for a case as one more experiment."""
    return _experiment(f"{RUNS_OF}{code}", f"{code}/{OF_THE_FACTORY}", 0)


def _experiment(number: str, name: str, made_ms: int) -> Json:
    return {
        "experiment_id": number,
        "name": name,
        "artifact_location": f"mlflow-artifacts:/{number}",
        "lifecycle_stage": "active",
        "creation_time": made_ms,
        "last_update_time": made_ms,
        "tags": [],
    }


def run(
    found: doors.Found,
    *,
    params: Mapping[str, str],
    tags: Mapping[str, str],
    last: queries.Latest,
) -> Json:
    info = of_the_factory(found.run) if found.run else of_tracked(found.tracked)
    data = {
        "params": _pairs(params),
        "tags": _pairs(tags),
        "metrics": [metric(name, point) for name, point in sorted(last.items())],
    }
    return {"info": info, "data": data, "inputs": {"dataset_inputs": [], "model_inputs": []}}


def of_tracked(one: Tracked | None) -> Json:
    if one is None:
        return {}
    ended = {} if one.ended_ms is None else {"end_time": one.ended_ms}
    return ended | {
        **_named(one.uuid, str(one.experiment_id), one.name),
        "user_id": "",
        "status": one.status,
        "start_time": one.started_ms,
        "lifecycle_stage": "deleted" if one.deleted_at else "active",
    }


def of_the_factory(one: Run) -> Json:
    ended = {"end_time": queries.milliseconds(one.ended_at)} if one.ended_at else {}
    return ended | {
        **_named(doors.number_of(one), f"{RUNS_OF}{one.case.code}", one.code),
        "user_id": "",
        "status": status_of(one.state),
        "start_time": queries.milliseconds(one.started_at or one.asked_at),
        "lifecycle_stage": "active",
    }


def status_of(state: str) -> str:
    return str(STATUS.get(RunState(state), Status.SCHEDULED))


def tags_of_the_factory(one: Run) -> dict[str, str]:
    return {
        RUN_NAME: one.code,
        "fabriek.recipe": one.recipe,
        "fabriek.run": one.code,
        "fabriek.state": one.state,
    }


def params_of_the_factory(one: Run) -> dict[str, str]:
    return {name: str(value) for name, value in one.knobs.items()} | {"seed": str(one.seed)}


def _named(number: str, experiment_id: str, name: str) -> Json:
    return {
        "run_id": number,
        "run_uuid": number,
        "run_name": name,
        "experiment_id": experiment_id,
        "artifact_uri": f"mlflow-artifacts:/{number}/artifacts",
    }


def metric(name: str, point: Point) -> Json:
    step, at, value = point
    return {"key": name, "value": figure(value), "timestamp": at, "step": step}


def figure(value: float) -> float | str:
    """Say in JSON what is no number there, as MLflow does."""
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _pairs(words: Mapping[str, str]) -> list[Json]:
    return [{"key": key, "value": value} for key, value in sorted(words.items())]


def infos(rows: Iterable[tuple[str, int | None]], folder: str) -> list[Json]:
    """Show what a folder holds; the names go without the folder where there is none."""
    before = f"{folder}/" if folder else ""
    return [
        {"path": f"{before}{name}", "is_dir": True}
        if size_bytes is None
        else {"path": f"{before}{name}", "is_dir": False, "file_size": size_bytes}
        for name, size_bytes in rows
    ]

"""Runs: mostly finished, some living, a few with their figures; and the models they made."""

import uuid
from datetime import datetime, timedelta
from itertools import groupby

from bench.world.data import Data
from bench.world.size import Making, keep
from fabriek.allocations.models import Allocation
from fabriek.runs.models import Metric, Run, RunInput
from fabriek_recipes.recipe import catalogue

# Of 20 runs that ended; a lost run is billed for what it was seen to use.
ENDINGS = ["succeeded"] * 15 + ["failed"] * 3 + ["cancelled", "lost"]
TIMEOUT_S = 3600
POINTS = 100
INPUT_EVERY = 5
REASONS = {"failed": "exit", "cancelled": "cancelled", "lost": "silent"}
SCORES = {
    "exact_match_before": 0.02,
    "exact_match_after": 0.87,
    "loss_before": 3.21,
    "loss_after": 0.41,
}


def make(making: Making, allocations: list[Allocation], data: Data) -> list[Run]:
    """Spread the runs of a case over its awards; the last ones are alive on the newest."""
    knobs = catalogue()["finetune_lm"].knobs().model_dump(mode="json")
    by_case = groupby(allocations, key=lambda one: one.case_id)
    rows = (run for _, some in by_case for run in _of_case(making, list(some), knobs))
    runs = keep(Run, _coded(making, rows))
    with_input = runs[::INPUT_EVERY]
    keep(
        RunInput,
        (
            RunInput(run=one, name="data", revision=data.newest[one.case_id])
            for one in with_input
        ),
    )
    keep(RunInput, (RunInput(run=one, name="base", revision=data.base.revision)
                    for one in with_input))  # fmt: skip
    keep(Metric, _metrics(_measured(making, runs)))
    return runs


def _of_case(making: Making, allocations: list[Allocation], knobs: dict[str, object]):
    ended = making.size.runs_a_case - making.size.living_a_case
    for turn in range(ended):
        allocation = allocations[turn * len(allocations) // ended]
        yield _ended(making, allocation, knobs, ENDINGS[turn % len(ENDINGS)])
    for turn in range(making.size.living_a_case):
        yield _living(making, allocations[-1], knobs, "running" if turn else "queued")


def _coded(making: Making, rows):
    for number, run in enumerate(rows, 1):
        run.code = making.code("R", number)
        yield run


def _ended(making: Making, allocation: Allocation, knobs: dict[str, object], state: str) -> Run:
    run = _run(making, allocation, knobs, _moment_within(making, allocation))
    run.state = state
    run.elapsed_s = making.dice.randrange(60, TIMEOUT_S)
    run.started_at = run.asked_at + timedelta(minutes=2)
    run.ended_at = run.started_at + timedelta(seconds=run.elapsed_s)
    run.gpu_seconds_used = run.gpus * run.elapsed_s
    run.reason = REASONS.get(state, "")
    run.exit_code = {"succeeded": 0, "failed": 1}.get(state)
    run.scores = SCORES if state == "succeeded" else {}
    run.stage, run.progress_done, run.progress_total = "train", 1000, 1000
    # Long ago: what was lost is no longer looked for.
    run.last_seen_at = min(run.ended_at, making.now - timedelta(days=31))
    return run


def _living(
    making: Making, allocation: Allocation, knobs: dict[str, object], state: str
) -> Run:
    minutes = making.dice.randrange(5, 50)
    run = _run(making, allocation, knobs, making.now - timedelta(minutes=minutes))
    run.state = state
    run.last_seen_at = making.now
    if state == "running":
        run.started_at = run.asked_at + timedelta(minutes=1)
        run.elapsed_s = (minutes - 1) * 60
        run.stage, run.progress_done, run.progress_total = "train", minutes, 60
        run.stage_at, run.progress_at = run.started_at, making.now
    return run


def _run(
    making: Making, allocation: Allocation, knobs: dict[str, object], asked_at: datetime
) -> Run:
    gpus = making.dice.choice((1, 1, 1, 2, 4))
    return Run(
        key=f"fabriek-{uuid.UUID(int=making.dice.getrandbits(128)).hex}",
        case=allocation.case,
        allocation=allocation,
        recipe="finetune_lm",
        knobs=knobs,
        gpus=gpus,
        timeout_s=TIMEOUT_S,
        gpu_seconds_estimated=gpus * TIMEOUT_S // 3,
        asked_by=allocation.case.created_by,
        asked_at=asked_at,
    )


def _moment_within(making: Making, allocation: Allocation) -> datetime:
    end = min(making.now - timedelta(hours=2), allocation.opened_at + timedelta(days=178))
    seconds = int((end - allocation.opened_at).total_seconds())
    return allocation.opened_at + timedelta(seconds=making.dice.randrange(seconds))


def _measured(making: Making, runs: list[Run]) -> list[Run]:
    """Choose those that pages show: the newest of each of the first cases, living ones too."""
    each = making.size.runs_a_case
    last = [
        run for first in range(0, len(runs), each) for run in runs[first : first + each][-8:]
    ]
    return last[: making.size.runs_with_metrics]


def _metrics(runs: list[Run]):
    for run in runs:
        for step in range(1, POINTS + 1):
            at = run.asked_at + timedelta(seconds=step)
            yield Metric(run=run, name="loss", step=step, value=3 / step, at=at)
            yield Metric(run=run, name="loss_held_out", step=step, value=3.1 / step, at=at)

"""What the API of runs takes and gives."""

from datetime import datetime
from typing import Any
from uuid import UUID

from ninja import Schema

from fabriek.kernel.steps import StepOut
from fabriek.runs.models import Run


class InputOut(Schema):
    name: str
    kind: str
    title: str
    help: str
    required: bool


class RecipeOut(Schema):
    name: str
    title: str
    summary: str
    when_to_use: str
    knobs: dict[str, Any]
    inputs: list[InputOut]


class RecipesOut(Schema):
    items: list[RecipeOut]


class WishIn(Schema):
    """`inputs`: the name of the input, and what it is: `D26-0001`, or `D26-0001@2`.

    `gpus` counts all of them, over all `nodes`. `wish_id`: a UUID of your own; the same one
    sent twice is one run.
    """

    case: str
    recipe: str
    allocation: str = ""
    knobs: dict[str, Any] = {}
    inputs: dict[str, str] = {}
    gpus: int = 1
    nodes: int = 1
    seed: int = 1
    timeout_s: int | None = None
    wish_id: UUID | None = None


class PriceOut(Schema):
    gpu_seconds: int
    gpu_seconds_held: int
    gpu_seconds_left: int | None = None
    timeout_s: int
    memory_bytes: int
    why: list[str]
    warnings: list[str] = []


class _Outside(Schema):
    """A run as everybody who may see it sees it.

    `starts`: how often the machine started it, if it tells: a run may stop, save and go on.
    """

    code: str
    case: str
    recipe: str
    allocation: str
    state: str
    gpus: int
    nodes: int
    timeout_s: int
    asked_at: datetime
    starts_expected_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    elapsed_s: int
    starts: int
    gpu_seconds_estimated: int
    gpu_seconds_held: int
    gpu_seconds_used: int | None


class RunOut(_Outside):
    """A run in a list."""

    @staticmethod
    def resolve_case(run: Run) -> str:
        return run.case.code

    @staticmethod
    def resolve_allocation(run: Run) -> str:
        return run.allocation.account


class RunDetailOut(_Outside):
    """From `knobs` on, but for `next_steps`: the consortium's; empty for others.

    `queue_position` 1 starts next; `waiting_reason` is the engine's word, and `waiting` says
    both in the reader's language. `starts_expected_at` is the engine's estimate, which
    `expected_start` says in words. They are empty when the engine does not tell.
    """

    continues: str | None
    asked_by: str
    cancel_asked_at: datetime | None
    queue_position: int | None
    waiting_reason: str
    waiting: str
    expected_start: str
    exit_code: int | None
    reason: str
    reason_sentence: str
    knobs: dict[str, Any] | None = None
    inputs: dict[str, str] | None = None
    seed: int | None = None
    stage: str = ""
    progress_done: int = 0
    progress_total: int = 0
    percent: float | None = None
    seconds_left: int | None = None
    scores: dict[str, float | None] = {}
    warnings: list[str] = []
    next_steps: list[StepOut]


class PointOut(Schema):
    step: int
    value: float


class MetricsOut(Schema):
    """At most some 300 points of one figure, and the names of all figures there are."""

    names: list[str]
    name: str
    points: list[PointOut]


class LogOut(Schema):
    """Ask again with `next_offset` until it stands still and the run is over."""

    text: str
    offset: int
    next_offset: int
    is_over: bool

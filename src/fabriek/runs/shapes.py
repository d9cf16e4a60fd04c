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
    """`leaves_rows`: what it writes can be saved as a dataset, see `answers_to` of a wish."""

    name: str
    title: str
    summary: str
    when_to_use: str
    knobs: dict[str, Any]
    inputs: list[InputOut]
    leaves_rows: bool


class RecipesOut(Schema):
    items: list[RecipeOut]


class WishIn(Schema):
    """`inputs`: the name of the input, and what it is: `D26-0001`, or `D26-0001@2`.

    `gpus` counts all of them, over all `nodes`. `dry_run`: ten steps, on one GPU where that
    holds the model, and no model, to correct the price by. `wish_id`: a UUID of your own; the
    same one sent twice is one run. `answers_to`: where the answers are saved when it has ended
    well, of a recipe that leaves rows: `new` for a new dataset of the case, called
    `answers_title`, or the code of one; empty: nowhere, they stay with the run.
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
    dry_run: bool = False
    answers_to: str = ""
    answers_title: str = ""
    wish_id: UUID | None = None


class SaveIn(Schema):
    """`answers_to`: `new`, or the code of a dataset of the case."""

    answers_to: str
    answers_title: str = ""


class PriceOut(Schema):
    """`gpu_seconds_left`: now; `…_held`: while it runs; `…_expected`: after it, about.

    `memory_note`: that it will not fit, and what to change. `memory_bytes_there`: of one GPU;
    nothing where nobody said. `is_secure`: it goes to the secure part of the machine.
    """

    gpu_seconds: int
    gpu_seconds_held: int
    gpu_seconds_left: int | None = None
    timeout_s: int
    memory_bytes: int
    memory_bytes_there: int | None = None
    memory_note: str = ""
    measured: str = ""
    energy_wh: int
    energy_method: str
    gpu_seconds_left_expected: int | None = None
    gpu_seconds_left_held: int | None = None
    why: list[str]
    warnings: list[str] = []
    is_secure: bool = False


class RemarkOut(Schema):
    """`tone`: wrong (it keeps the run from starting), attention or neutral."""

    tone: str
    text: str


class TokensOut(Schema):
    """Tokens of one role in a row; `role` gap: how many are not shown here."""

    role: str
    learned: bool
    tokens: list[str]


class SeenRowOut(Schema):
    file: str
    line: int
    why: str
    tokens: int
    learned: int
    runs: list[TokensOut]
    answers: list[list[TokensOut]] = []


class SeenRowsOut(Schema):
    """What a model will see. `lengths`: tokens of a row, and how many rows have so many.

    `every`: every how many rows one was counted. `rows`: a few of them; none where the person
    who asks may train on the data but not read it. Of a pair `runs` is the question, and
    `answers` the better and the worse one. `are_cut`: what is longer than `longest_used` is cut
    in pieces, as plain text is; else it is left out.
    """

    remarks: list[RemarkOut]
    count: int = 0
    every: int = 1
    tokens: int = 0
    learned: int = 0
    longest_used: int = 0
    are_cut: bool = False
    lengths: list[tuple[int, int]] = []
    lengths_apart: list[tuple[int, int]] = []
    rows: list[SeenRowOut] = []


class _Outside(Schema):
    """A run as everybody who may see it sees it.

    `starts`: how often the machine started it, if it tells: a run may stop, save and go on.
    `is_secure`: on the secure part of the machine.
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
    is_dry: bool
    is_secure: bool
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


class CheckpointOut(Schema):
    """A point that a run kept, to go on from."""

    step: int
    size_bytes: int


class SavedAnswersOut(Schema):
    """Where the answers are saved: `dataset` is empty until a new one is made.

    `revision` when they are; until then, or for good where it is `settled`, `sentence` says
    why not.
    """

    dataset: str
    revision: int | None
    sentence: str
    settled: bool


class RunDetailOut(_Outside):
    """From `knobs` on, but for `next_steps`: the consortium's; empty for others.

    `queue_position` 1 starts next; `waiting_reason` is the engine's word, and `waiting` says
    both in the reader's language. `starts_expected_at` is the engine's estimate, which
    `expected_start` says in words. They are empty when the engine does not tell. `mending` is
    what to set otherwise after a failure: `mend` starts again with it.
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
    failure_code: str = ""
    mending: dict[str, Any] = {}
    checkpoints: list[CheckpointOut] = []
    measured: dict[str, float | None] = {}
    energy_wh: int | None = None
    energy_method: str = ""
    warnings: list[str] = []
    answers: SavedAnswersOut | None = None
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

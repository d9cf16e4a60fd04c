"""What programs send and get about searches."""

from datetime import datetime
from typing import Any
from uuid import UUID

from ninja import Schema

from fabriek.kernel.steps import StepOut


class RangeIn(Schema):
    """Where to search one setting; what is left out is as `/api/sweeps/recipes` suggests.

    From `low` to `high`, evenly or (`log`) by factors; or among `choices`.
    """

    name: str
    low: float | None = None
    high: float | None = None
    log: bool | None = None
    choices: list[bool | int | str] = []


class SweepIn(Schema):
    """`gpu_seconds_budget`: all its runs together never get more.

    `trials` empty: as many as the budget is good for. `ranges` empty: what is suggested.
    `halving`: one in so many goes on after a round (2, 3, 4); 0: all are trained in full. A
    recipe that does not go on (`goes_on`) trains all in full, whatever is given.
    `wish_id`: a UUID of your own; the same one sent twice is one search.
    """

    case: str
    recipe: str
    gpu_seconds_budget: int
    allocation: str = ""
    knobs: dict[str, Any] = {}
    inputs: dict[str, str] = {}
    ranges: list[RangeIn] = []
    score: str = ""
    trials: int | None = None
    halving: int = 3
    at_once: int = 2
    gpus: int = 1
    nodes: int = 1
    seed: int = 1
    wish_id: UUID | None = None


class RangeOut(Schema):
    name: str
    kind: str
    low: float
    high: float
    log: bool
    choices: list[bool | int | str]


class SearchableOut(Schema):
    """`scores`: by which can be chosen, the best first. `goes_on`: it is trained in parts."""

    recipe: str
    ranges: list[RangeOut]
    suggested: list[str]
    scores: list[str]
    goes_on: bool


class SearchablesOut(Schema):
    items: list[SearchableOut]


class RoundOut(Schema):
    trials: int
    until_share: float
    gpu_seconds_each: int


class SweepPriceOut(Schema):
    """`gpu_seconds` is expected; more than the budget is never used, and is what is left least.

    `winner_gpu_seconds`: to train the winner in full afterwards, which is a run of its own.
    """

    trials: int
    rounds: list[RoundOut]
    gpu_seconds: int
    gpu_seconds_budget: int
    is_enough: bool
    gpu_seconds_left: int | None
    gpu_seconds_left_least: int | None
    winner_gpu_seconds: int
    energy_wh: int
    energy_wh_most: int
    energy_method: str
    warnings: list[str]
    memory_note: str
    is_secure: bool


class SweepOut(Schema):
    code: str
    case: str
    recipe: str
    state: str
    trials: int
    halving: int
    gpu_seconds_budget: int
    gpu_seconds_estimated: int
    asked_at: datetime
    ended_at: datetime | None


class TrialOut(Schema):
    """One round of one trial; `state` is that of its run, or `promised` before there is one."""

    number: int
    round: int
    knobs: dict[str, Any]
    until_share: float
    run: str | None
    state: str
    score: float | None
    trouble: str
    trouble_sentence: str


class SweepDetailOut(SweepOut):
    """From `reason` on: the consortium's; empty for others.

    `gpu_seconds_committed` is what was spent, is held and is promised: never above the budget.
    """

    asked_by: str
    next_steps: list[StepOut]
    reason: str = ""
    reason_sentence: str = ""
    knobs: dict[str, Any] = {}
    ranges: list[RangeOut] = []
    score: str = ""
    is_lower_better: bool | None = None
    gpu_seconds_spent: int | None = None
    gpu_seconds_committed: int | None = None
    winner: int | None = None
    winner_run: str | None = None
    trials_tried: list[TrialOut] = []


class KeptOut(Schema):
    run: str

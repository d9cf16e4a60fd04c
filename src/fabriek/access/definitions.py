"""What a factory writes in its data files about modes and forms, read strictly."""

from collections.abc import Iterator
from datetime import time
from enum import StrEnum
from functools import cached_property
from typing import Literal
from zoneinfo import ZoneInfo

from django.utils.translation import get_language
from pydantic import BaseModel, ConfigDict, Field

WORKDAYS_A_WEEK = 5


class Written(BaseModel):
    """Part of a data file. Unknown keys are other rooms' business and are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Words(Written):
    """A text in both languages; shows itself in the reader's own."""

    nl: str
    en: str

    def __str__(self) -> str:
        return self.nl if (get_language() or "").startswith("nl") else self.en


NOTHING = Words(nl="", en="")


# --- forms -------------------------------------------------------------------------------
class QuestionKind(StrEnum):
    TEXT = "text"
    LONGTEXT = "longtext"
    NUMBER = "number"
    CHOICE = "choice"
    YESNO = "yesno"
    DATE = "date"


class Choice(Written):
    code: str
    label: Words


class ShowIf(Written):
    """A question that is only put when a yes-or-no question before it was answered so."""

    field: str
    equals: bool


class Question(Written):
    key: str
    kind: QuestionKind
    label: Words
    help: Words = NOTHING
    required: bool = False
    unit: str | None = None
    min: int | None = None
    max: int | None = None
    max_length: int | None = None
    choices: tuple[Choice, ...] = ()
    show_if: ShowIf | None = None
    prefill: str | None = None
    must_equal: bool | None = None

    @property
    def is_amount(self) -> bool:
        """Whether this asks how much compute, in the unit and within the bounds of the mode."""
        return self.unit == "mode"

    @property
    def is_duration(self) -> bool:
        return self.unit == "months"


class Section(Written):
    key: str
    title: Words
    intro: Words = NOTHING
    fields: tuple[Question, ...]

    def question(self, key: str) -> Question | None:
        return next((field for field in self.fields if field.key == key), None)


class FormRules(Written):
    code: str
    version: int
    name: Words = NOTHING
    sections: tuple[Section, ...]

    def section(self, key: str) -> Section | None:
        return next((section for section in self.sections if section.key == key), None)

    def questions(self) -> Iterator[tuple[Section, Question]]:
        for section in self.sections:
            for question in section.fields:
                yield section, question


# --- modes -------------------------------------------------------------------------------
class Promise(Written):
    amount: int = 10
    unit: Literal["workdays", "weeks"] = "workdays"
    start: Literal["submission", "cut_off"] = Field("submission", alias="from")

    @property
    def workdays(self) -> int:
        return self.amount * (WORKDAYS_A_WEEK if self.unit == "weeks" else 1)


class CutOffs(Written):
    every_months: int
    first_month: int
    days: tuple[int, ...]
    time: time
    zone: str

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


class Criterion(Written):
    key: str
    name: Words
    min: int


class Scores(Written):
    scale: tuple[int, int]
    criteria: tuple[Criterion, ...]
    min_total: int


class StepRules(Written):
    step: str
    promised_workdays: int = 0
    blind: bool = False
    min_reviewers: int = 1
    min_score: Scores | None = None
    visible_to_applicant: bool = True
    checklist: tuple[Words, ...] = ()


class FormVersion(Written):
    code: str
    version: int


class ModeRules(Written):
    """An access mode as the factory wrote it; amounts in the mode's own unit."""

    code: str
    order: int = 0
    name: Words = NOTHING
    summary: Words = NOTHING
    unit: Literal["gpu_hours", "node_hours"] = "gpu_hours"
    gpus_per_node: int | None = None
    min: int = 1
    max: int = 5000
    fixed: bool = False
    durations_months: tuple[int, ...] = (1, 2, 3)
    cut_offs: CutOffs | None = None
    selection: Literal["fifo", "review"] = "fifo"
    promise: Promise = Promise()
    kinds: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    entry_level_only: tuple[str, ...] = ()
    needs_experience: bool = False
    needs_high_impact: bool = False
    only_in_eu_project: tuple[str, ...] = ()
    share: str = ""
    form: FormVersion | None = None
    steps: tuple[StepRules, ...] = ()

    @property
    def is_reviewed(self) -> bool:
        return self.selection == "review"

    @cached_property
    def review(self) -> StepRules:
        return self.step("expert_review")

    def step(self, name: str) -> StepRules:
        """Find the rules of one step; a mode that does not name it gets the plainest ones."""
        return next((step for step in self.steps if step.step == name), StepRules(step=name))

    def gpu_hours(self, amount: int) -> int:
        return amount * (self.gpus_per_node or 1)

    @property
    def min_gpu_hours(self) -> int:
        return self.gpu_hours(self.min)

    @property
    def max_gpu_hours(self) -> int:
        return self.gpu_hours(self.max)

    @property
    def longest_months(self) -> int:
        return max(self.durations_months, default=0)


class KindRow(Written):
    code: str
    name: Words


class ModesFile(Written):
    kinds: tuple[KindRow, ...] = ()
    modes: tuple[ModeRules, ...]

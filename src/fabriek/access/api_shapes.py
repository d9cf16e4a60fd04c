"""What the API of access takes and gives, field by field."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from ninja import Schema

from fabriek.access import promises, queries, reading, rules
from fabriek.access.models import Application, Decision, Mode
from fabriek.kernel.steps import NextStep, StepOut


# --- what is sent back -------------------------------------------------------------------
class ModeOut(Schema):
    code: str
    name: str
    summary: str
    min_gpu_hours: int
    max_gpu_hours: int
    durations_months: list[int]
    kinds: list[str]
    promise: str
    is_reviewed: bool

    @staticmethod
    def from_mode(mode: Mode) -> "ModeOut":
        return ModeOut(
            code=mode.code,
            name=str(mode),
            summary=str(mode.rules.summary),
            min_gpu_hours=mode.rules.min_gpu_hours,
            max_gpu_hours=mode.rules.max_gpu_hours,
            durations_months=list(mode.rules.durations_months),
            kinds=list(mode.rules.kinds),
            promise=promises.in_words(mode.rules),
            is_reviewed=mode.rules.is_reviewed,
        )


class AdviceOut(Schema):
    mode: str
    name: str
    fits: bool
    reasons: list[str]


class ApplicationOut(Schema):
    code: str
    case: str
    title: str
    organisation: str
    mode: str
    state: str
    state_label: str
    gpu_hours_asked: int | None
    months: int | None
    submitted_at: datetime | None
    due_at: datetime | None
    clock: str
    next_steps: list[StepOut]

    @staticmethod
    def resolve_case(application: Application) -> str:
        return application.case.code

    @staticmethod
    def resolve_title(application: Application) -> str:
        return application.case.title

    @staticmethod
    def resolve_organisation(application: Application) -> str:
        return application.case.organisation.name

    @staticmethod
    def resolve_mode(application: Application) -> str:
        return application.mode.code

    @staticmethod
    def resolve_state_label(application: Application) -> str:
        return application.get_state_display()

    @staticmethod
    def resolve_clock(application: Application) -> str:
        clock = queries.clock(application, timezone.now())
        return clock.sentence if clock else ""

    @staticmethod
    def resolve_next_steps(application: Application, context: dict[str, Any]) -> list[NextStep]:
        return rules.next_steps(context["request"].user, application)


class DecisionOut(Schema):
    is_award: bool
    gpu_hours: int
    months: int
    reasons: str
    decided_at: datetime


class SectionOut(Schema):
    section: str
    title: str
    to_do: int
    saved_at: datetime | None


class CheckOut(Schema):
    code: str
    passed: bool
    sentence: str

    @staticmethod
    def resolve_sentence(check: Any) -> str:  # noqa: ANN401  a Check, or ninja's view of one
        return str(check.sentence)


class FindingOut(Schema):
    step: str
    is_positive: bool
    remarks: str
    scores: dict[str, int]
    at: datetime


class ApplicationDetailOut(ApplicationOut):
    sections: list[SectionOut]
    checks: list[CheckOut]
    findings: list[FindingOut]
    decision: DecisionOut | None

    @staticmethod
    def resolve_sections(application: Application) -> list[SectionOut]:
        return [
            SectionOut(
                section=part.section.key,
                title=str(part.section.title),
                to_do=part.to_do,
                saved_at=part.saved_at,
            )
            for part in reading.progress(application, list(application.answers.all()))
        ]

    @staticmethod
    def resolve_checks(application: Application) -> list[object]:
        typed = reading.typed_in(application.answers.all())
        return list(reading.eligibility(application, typed))

    @staticmethod
    def resolve_findings(application: Application, context: dict[str, Any]) -> list[object]:
        return list(reading.findings_for(context["request"].user, application))

    @staticmethod
    def resolve_decision(application: Application) -> Decision | None:
        return getattr(application, "decision", None)


class QuestionOut(Schema):
    key: str
    kind: str
    label: str
    unit: str
    required: bool
    choices: list[str]
    problem: str


class AnswersOut(Schema):
    section: str
    values: dict[str, str]
    version: int
    saved_at: datetime | None
    questions: list[QuestionOut]


# --- what is sent in ---------------------------------------------------------------------
class StartIn(Schema):
    case: str
    mode: str


class AnswersIn(Schema):
    values: dict[str, str | int | float | bool | None]
    version: int


class StepIn(Schema):
    """What a step asks; each step reads its own part."""

    reasons: str = ""
    remarks: str = ""
    is_positive: bool | None = None
    scores: dict[str, int] = {}
    gpu_hours: int = 0
    months: int = 0

"""The API of looks: parse, call one action, show. No decisions are taken here."""

from datetime import datetime
from typing import Any

from django.shortcuts import get_object_or_404
from ninja import Router, Schema, Status
from pydantic import Field

from fabriek.people.http import SignedIn
from fabriek.quality import actions, finding, queries, said
from fabriek.quality.findings import Column, columns_of
from fabriek.quality.models import Decision, Errand, Look, Treatment
from fabriek.quality.states import UNFINISHED

router = Router(tags=["looks"])


class ErrandOut(Schema):
    """`doing` says what is done now; `trouble` why it came to nothing."""

    revision: int = Field(alias="revision.number")
    state: str
    asked_at: datetime
    ended_at: datetime | None
    doing: str
    trouble: str

    @staticmethod
    def resolve_doing(errand: Errand) -> str:
        return said.doing(errand.progress or {})

    @staticmethod
    def resolve_trouble(errand: Errand) -> str:
        return said.trouble(errand.trouble, errand.facts) if errand.trouble else ""


class ProblemOut(Schema):
    code: str
    severity: str
    what: str
    mend: str
    path: str
    column: str
    rows: list[int]
    count: int
    paths: list[str]  # where it is of files as a whole, the first of them


class LookOut(ErrandOut):
    """`result` is what the worker wrote: counts and places.

    Of a column in which no personal data was found it also holds the lowest and the highest
    number or day, and words that come back as labels do.
    """

    problems: list[ProblemOut]
    result: dict[str, Any]

    @staticmethod
    def resolve_problems(look: Look) -> list[dict[str, Any]]:
        return [_problem(told) for told in look.result.get("problems", [])]


class PlaceOut(Schema):
    path: str
    kind: str
    count: int
    rows: list[int]
    by: str
    is_estimate: bool


class ColumnOut(Schema):
    column: str = Field(alias="name")
    kinds: list[str]
    places: list[PlaceOut]
    is_decided: bool
    choice: str
    reason: str

    @staticmethod
    def resolve_choice(column: Column) -> str:
        return str(column.decision.choice) if column.decision else ""

    @staticmethod
    def resolve_reason(column: Column) -> str:
        return column.decision.reason if column.decision else ""


class DecisionIn(Schema):
    column: str
    choice: Decision.Choice
    reason: str = ""


class TreatmentOut(ErrandOut):
    rules_version: str
    decisions: dict[str, Any]
    made: int | None
    changed: dict[str, Any]

    @staticmethod
    def resolve_made(treatment: Treatment) -> int | None:
        return treatment.made.number if treatment.made else None


@router.get("/{code}", response=LookOut)
def show(request: SignedIn, code: str, revision: int | None = None) -> Look:
    """Give the last look at a revision, the newest one unless its number is given."""
    found = finding.readable(code, request.user)
    rows = Look.objects.filter(revision=finding.revision(found, revision)).select_related(
        "revision"
    )
    return get_object_or_404(rows[:1])


@router.post("/{code}", response={201: LookOut})
def start(
    request: SignedIn, code: str, revision: int | None = None, *, all_names: bool = False
) -> Status[Look]:
    """Look at a revision; one that is under way is given as it is."""
    found = finding.dataset(code, request.user)
    asked = finding.revision(found, revision)
    look = actions.ask_look(found, asked, by=request.user, all_names=all_names)
    return Status(201, look)


@router.post("/{code}/cancel", response=LookOut)
def cancel(request: SignedIn, code: str) -> Look:
    found = finding.dataset(code, request.user)
    rows = Look.objects.select_related("dataset__case", "revision")
    look = get_object_or_404(rows, dataset=found, state__in=UNFINISHED)
    actions.cancel(look, by=request.user)
    look.refresh_from_db()
    return look


@router.get("/{code}/personal", response=list[ColumnOut])
def personal(request: SignedIn, code: str, revision: int | None = None) -> list[Column]:
    """List columns in which personal data was found, and what was decided about each."""
    found = finding.dataset(code, request.user)
    look = queries.last_done(found, finding.revision(found, revision))
    return columns_of(look, queries.decisions_of(found)) if look else []


@router.post("/{code}/decisions", response={201: list[ColumnOut]})
def decide(
    request: SignedIn, code: str, body: DecisionIn, revision: int | None = None
) -> Status[list[Column]]:
    found = finding.dataset(code, request.user)
    chosen = finding.revision(found, revision)
    actions.decide(
        found, chosen, body.column, choice=body.choice, reason=body.reason, by=request.user
    )
    return Status(201, personal(request, code, chosen.number))


@router.post("/{code}/treatments", response={201: TreatmentOut})
def treat(request: SignedIn, code: str, revision: int | None = None) -> Status[Treatment]:
    """Make a new revision as was decided; the old one stays."""
    found = finding.dataset(code, request.user)
    return Status(201, actions.treat(found, finding.revision(found, revision), by=request.user))


@router.get("/{code}/treatments", response=list[TreatmentOut])
def treatments(request: SignedIn, code: str) -> list[Treatment]:
    rows = Treatment.objects.filter(dataset=finding.dataset(code, request.user))
    return list(rows.select_related("revision", "made")[:50])


def _problem(told: dict[str, Any]) -> dict[str, Any]:
    what, mend = said.problem(told)
    kept = ("code", "severity", "path", "column", "rows", "count")
    paths = [told["path"]] if told["path"] else told.get("paths", [])
    return {key: told[key] for key in kept} | {"what": what, "mend": mend, "paths": paths}

"""The API by which a lead of the owner sees which revisions could go, and lets them go."""

from collections.abc import Iterable
from datetime import timedelta

from ninja import Path, Query, Router, Schema
from pydantic import Field

from fabriek.datasets import finding, retention
from fabriek.people.http import SignedIn
from fabriek.store.retention import Line, Plan, Wish

router = Router(tags=["datasets"])
DAYS_MAX = 36_500
MOST_NUMBERS = 10_000


class WhichIn(Schema):
    """Which may go: by number, or all but the last ones and those of late.

    With both `keep_last` and `older_than_days`, a revision goes only when both say so; with
    nothing, all but the newest are looked at.
    """

    revisions: list[int] = Field(default=[], max_length=MOST_NUMBERS)
    keep_last: int | None = None
    older_than_days: int | None = Field(default=None, ge=0, le=DAYS_MAX)


class DropIn(WhichIn):
    why: str = ""


class PlannedOut(Schema):
    """`reason` is for programs: newest, named, held or recent; empty where nothing holds it."""

    number: int
    message: str
    size_bytes: int
    reason: str
    why: str


class PlanOut(Schema):
    """`freed_bytes` come free with the next sweep, a day after anybody last sent them."""

    go: list[PlannedOut]
    stay: list[PlannedOut]
    freed_bytes: int


@router.get("", response=PlanOut)
def plan(request: SignedIn, code: Path[str], asked: Query[WhichIn]) -> PlanOut:
    """See which revisions could go, and why the others stay. Changes nothing."""
    dataset = finding.dataset(code, request.user)
    return _told(retention.plan(dataset, _wish(asked), by=request.user))


@router.post("", response=PlanOut)
def drop(request: SignedIn, code: Path[str], body: DropIn) -> PlanOut:
    """Remove what nothing holds; gives what was done. A revision keeps its line in the list."""
    dataset = finding.dataset(code, request.user)
    return _told(retention.drop(dataset, _named(body), by=request.user, why=body.why))


def _wish(asked: WhichIn) -> Wish:
    if not asked.revisions and asked.keep_last is None and asked.older_than_days is None:
        return Wish(keep_last=1)
    return _named(asked)


def _named(asked: WhichIn) -> Wish:
    """Take it as it is: to remove, somebody must say what."""
    days = asked.older_than_days
    return Wish(
        numbers=asked.revisions,
        keep_last=asked.keep_last,
        older_than=timedelta(days=days) if days is not None else None,
    )


def _told(plan: Plan) -> PlanOut:
    return PlanOut(
        go=list(_lines(plan.go)), stay=list(_lines(plan.stay)), freed_bytes=plan.freed_bytes
    )


def _lines(lines: Iterable[Line]) -> Iterable[PlannedOut]:
    for line in lines:
        yield PlannedOut(
            number=line.revision.number,
            message=line.revision.message,
            size_bytes=line.revision.size_bytes,
            reason=line.reason or "",
            why=line.why,
        )

"""What programs send and get about revisions that could go; also of files that are no data."""

from collections.abc import Iterable
from datetime import timedelta

from ninja import Schema
from pydantic import Field

from fabriek.store.retention import Line, Plan, Wish

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

    @property
    def wish(self) -> Wish:
        """Say what to look at: all but the newest, where nothing is named."""
        if not self.revisions and self.keep_last is None and self.older_than_days is None:
            return Wish(keep_last=1)
        return self.named

    @property
    def named(self) -> Wish:
        """Take it as it is: to remove, somebody must say what."""
        days = self.older_than_days
        return Wish(
            numbers=self.revisions,
            keep_last=self.keep_last,
            older_than=timedelta(days=days) if days is not None else None,
        )


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


def told(plan: Plan) -> PlanOut:
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

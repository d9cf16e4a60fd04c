"""The lines of a ledger, and the balances that follow from them.

Amounts are whole GPU-seconds; only COUNTER and OVERRUN may be negative.

    granted = GRANT        held = HOLD - RELEASE        spent = SPEND + COUNTER
    expired = EXPIRE - EXTEND        left = granted - held - spent - expired

OVERRUN is use that no share could pay: the factory bears it, its share is "", and it stands
outside the balance, so that the bill of a run (SPEND + COUNTER + OVERRUN) is what it used.

A job that was submitted around the portal is billed like a run that held nothing: under a key
of its own, which begins with AROUND, and with the name of its user as the note.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

FACTORY = ""
AROUND = "job-"  # keys of runs begin otherwise
_AMSTERDAM = ZoneInfo("Europe/Amsterdam")


class LineKind(StrEnum):
    GRANT = "grant"
    HOLD = "hold"
    RELEASE = "release"
    SPEND = "spend"
    COUNTER = "counter"
    EXPIRE = "expire"
    EXTEND = "extend"
    OVERRUN = "overrun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    key: str
    kind: LineKind
    share: str
    gpu_seconds: int
    at: datetime
    run_key: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What one job used for which nothing was held."""

    key: str
    gpu_seconds: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    granted: int = 0
    held: int = 0
    spent: int = 0
    expired: int = 0

    @property
    def left(self) -> int:
        return self.granted - self.held - self.spent - self.expired


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """The days on which GPU time may be used, the last one included."""

    starts_on: date
    ends_on: date
    zone: ZoneInfo = field(default=_AMSTERDAM)

    def day_of(self, at: datetime) -> date:
        if at.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return at.astimezone(self.zone).date()

    def is_open(self, at: datetime) -> bool:
        return self.starts_on <= self.day_of(at) <= self.ends_on

    def is_over(self, at: datetime) -> bool:
        return self.day_of(at) > self.ends_on


BILLED = frozenset({LineKind.SPEND, LineKind.COUNTER, LineKind.OVERRUN})
_COLUMNS: Mapping[LineKind, tuple[str, int]] = {
    LineKind.GRANT: ("granted", 1),
    LineKind.HOLD: ("held", 1),
    LineKind.RELEASE: ("held", -1),
    LineKind.SPEND: ("spent", 1),
    LineKind.COUNTER: ("spent", 1),
    LineKind.EXPIRE: ("expired", 1),
    LineKind.EXTEND: ("expired", -1),
}


def balance_by_share(lines: Iterable[Line]) -> dict[str, Balance]:
    """Sum up each share; shares come in the order in which they were first granted."""
    sums: dict[str, dict[str, int]] = {}
    for line in lines:
        if line.kind in _COLUMNS:
            column, sign = _COLUMNS[line.kind]
            row = sums.setdefault(line.share, {})
            row[column] = row.get(column, 0) + sign * line.gpu_seconds
    return {share: Balance(**row) for share, row in sums.items()}


def balance(lines: Iterable[Line]) -> Balance:
    shares = balance_by_share(lines).values()
    return Balance(
        granted=sum(share.granted for share in shares),
        held=sum(share.held for share in shares),
        spent=sum(share.spent for share in shares),
        expired=sum(share.expired for share in shares),
    )


def open_holds(lines: Iterable[Line]) -> dict[str, int]:
    """GPU-seconds still held, per run that is not settled."""
    held: dict[str, int] = {}
    for line in lines:
        if line.kind in {LineKind.HOLD, LineKind.RELEASE}:
            sign = 1 if line.kind == LineKind.HOLD else -1
            held[line.run_key] = held.get(line.run_key, 0) + sign * line.gpu_seconds
    return {run_key: gpu_seconds for run_key, gpu_seconds in held.items() if gpu_seconds}


def bill(lines: Iterable[Line], run_key: str) -> int:
    """GPU-seconds this run used, whoever bears them, corrections included."""
    return sum(sums_by_share(lines, run_key, BILLED).values())


def overrun(lines: Iterable[Line]) -> int:
    """GPU-seconds used that no share could pay."""
    return sum(line.gpu_seconds for line in lines if line.kind == LineKind.OVERRUN)


def sums_by_share(
    lines: Iterable[Line], run_key: str, kinds: Collection[LineKind]
) -> dict[str, int]:
    """Sum one run's lines of these kinds per share."""
    sums: dict[str, int] = {}
    for line in lines:
        if line.run_key == run_key and line.kind in kinds:
            sums[line.share] = sums.get(line.share, 0) + line.gpu_seconds
    return sums


def has(lines: Iterable[Line], kind: LineKind, run_key: str) -> bool:
    """Tell whether this run has a line of this kind."""
    return any(line.kind == kind and line.run_key == run_key for line in lines)


def is_billed(lines: Iterable[Line], run_key: str) -> bool:
    """Tell whether a run was settled, or a use charged: only then it has a bill."""
    kinds = {line.kind for line in lines if line.run_key == run_key}
    # A settled run has released its hold; a use that was charged never held anything.
    return LineKind.RELEASE in kinds or (bool(kinds) and LineKind.HOLD not in kinds)


def left_by_share(lines: Iterable[Line]) -> dict[str, int]:
    """Give what each share can still pay, the oldest first."""
    return {share: part.left for share, part in balance_by_share(lines).items()}


def overruns_since_hold(lines: Sequence[Line], run_key: str) -> dict[str, int]:
    """Sum up, for each run, what overran while this one was holding time."""
    owed: dict[str, int] = {}
    is_holding = False
    for line in lines:
        is_holding = is_holding or (line.kind == LineKind.HOLD and line.run_key == run_key)
        if is_holding and line.kind == LineKind.OVERRUN:
            owed[line.run_key] = owed.get(line.run_key, 0) + line.gpu_seconds
    return owed

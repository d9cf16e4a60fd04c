"""Where the machine's accounting and our ledger differ, for an operator to look at."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import (
    BigIntegerField,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
)
from django.utils import timezone

from fabriek.allocations import queries as allocations
from fabriek.allocations.lines import BILLED, LineKind
from fabriek.allocations.models import Line
from fabriek.machine import books
from fabriek.machine.models import Books, Stretch
from fabriek.runs.models import Run
from fabriek.runs.states import STILL_OPEN, UNFINISHED

LOOKS_BACK = timedelta(days=35)
# What ended less long ago may still be on its way through the accounting, or part of it.
ON_ITS_WAY = timedelta(hours=1)
# A run that was lost was billed before it ended, by so much at most.
BILLED_BEFORE = timedelta(days=31)
SILENT_TOO_LONG = timedelta(hours=1)
NIGHT_KEY = ":night-"  # in the keys of counter-entries that the night wrote
MOST_SHOWN = 50
RUNS_BEGIN = "fabriek-"
USED = ExpressionWrapper(F("gpus") * F("elapsed_s"), output_field=BigIntegerField())


class Kind(StrEnum):
    SILENT = "silent"  # the accounting was not heard for too long
    TOTALS = "totals"  # the totals of an allocation are not the sum of its lines
    DIFFERS = "differs"  # the bill of a run is not what the machine counted
    UNRECORDED = "unrecorded"  # a run is billed of which the machine knows nothing
    NO_SUCH_RUN = "no_such_run"  # a job has the name of a run that it cannot be
    UNKNOWN_ACCOUNT = "unknown_account"  # jobs of an account below ours that we never opened
    NOT_CHARGED = "not_charged"  # jobs around the portal that wait for their bill
    AROUND = "around"  # jobs around the portal, billed
    CORRECTED = "corrected"  # bills that a night corrected


# What happened and is in the books as it should be.
SETTLED = frozenset({Kind.AROUND, Kind.CORRECTED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing to know.

    `subject`: the code of a run, or an account. `detail`: the user on the machine. The figures
    are there where there is such a figure.
    """

    kind: Kind
    subject: str
    machine_gpu_seconds: int | None = None
    ledger_gpu_seconds: int | None = None
    count: int = 1
    detail: str = ""
    at: datetime | None = None

    @property
    def is_drift(self) -> bool:
        return self.kind not in SETTLED


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A run (its primary key) whose bill is not what the machine counted, in GPU-seconds."""

    run: int
    code: str
    ended_at: datetime | None
    told: int
    billed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    since: datetime
    books: Books
    findings: tuple[Finding, ...]

    @property
    def has_drift(self) -> bool:
        return any(finding.is_drift for finding in self.findings)


def report(now: datetime | None = None, *, looks_back: timedelta = LOOKS_BACK) -> Report:
    """Compare, with a fixed number of questions; of each kind at most the first fifty."""
    now = now or timezone.now()
    since, read = now - looks_back, books.the_books()
    parts = (
        _silent(read, now),
        _totals(),
        _differing(since, now),
        _unrecorded(since, read),
        _without_run(since),
        _corrected(since),
    )
    findings = tuple(finding for part in parts for finding in part)
    return Report(since=since, books=read, findings=findings)


def differing(since: datetime, now: datetime) -> list[Difference]:
    """Find runs that are over whose bill is not what the machine counted.

    Explainable, and left alone: seconds cut off in each stretch, on each of its GPUs. Added up
    apart and compared here: asked for run by run, a database may read the ledger once a run.
    """
    runs = (_over(since) | _older(since)).filter(ended_at__lt=now - ON_ITS_WAY)
    stretches = Stretch.objects.filter(is_history=False, run__in=runs).order_by("run")
    sums = stretches.values_list("run", "run__key", "run__code", "run__ended_at")
    billed = _billed(since - BILLED_BEFORE, _older(since))
    return [
        Difference(run=run, code=code, ended_at=ended_at, told=told, billed=billed.get(key, 0))
        for run, key, code, ended_at, told, cut_off in sums.annotate(
            told=Sum(USED), cut_off=Sum("gpus")
        )
        if abs(told - billed.get(key, 0)) > cut_off
    ]


def _billed(since: datetime, older: QuerySet[Run]) -> dict[str, int]:
    # Two halves of one question: with "or" a database may read the whole ledger.
    lines = Line.objects.filter(kind__in=BILLED).order_by()
    recent = lines.filter(at__gte=since)
    before = lines.filter(at__lt=since, run_key__in=older.values("key"))
    halves = [
        half.values_list("run_key").annotate(sum=Sum("gpu_seconds"))
        for half in (recent, before)
    ]
    billed: Counter[str] = Counter()
    for run_key, used in halves[0].union(halves[1], all=True):
        billed[run_key] += used
    return billed


def _over(since: datetime) -> QuerySet[Run]:
    return _ended().filter(ended_at__gte=since)


def _older(since: datetime) -> QuerySet[Run]:
    """Find runs that ended before, of which the machine counted something since."""
    told = Stretch.objects.filter(ended_at__gte=since, run__ended_at__lt=since)
    return _ended().filter(pk__in=told.values("run"))


def _ended() -> QuerySet[Run]:
    # A run that was lost is followed by the loop, which corrects its bill when it turns up.
    return Run.objects.exclude(state__in=STILL_OPEN | UNFINISHED)


def _silent(read: Books, now: datetime) -> Iterator[Finding]:
    heard_at = read.heard_at
    if heard_at is None or now - heard_at > SILENT_TOO_LONG:
        yield Finding(kind=Kind.SILENT, subject="", at=heard_at)


def _totals() -> Iterator[Finding]:
    for allocation in allocations.drift()[:MOST_SHOWN]:
        yield Finding(
            kind=Kind.TOTALS,
            subject=allocation.account,
            ledger_gpu_seconds=allocation.gpu_seconds_spent,
        )


def _differing(since: datetime, now: datetime) -> Iterator[Finding]:
    for one in differing(since, now)[:MOST_SHOWN]:
        yield Finding(
            kind=Kind.DIFFERS,
            subject=one.code,
            machine_gpu_seconds=one.told,
            ledger_gpu_seconds=one.billed,
            at=one.ended_at,
        )


def _unrecorded(since: datetime, read: Books) -> Iterator[Finding]:
    """List runs that held GPUs, of which the accounting that was drawn knows nothing."""
    if read.drawn_until is None:
        return
    told = Stretch.objects.filter(run=OuterRef("pk"))
    rows = _over(since).filter(ended_at__lt=read.drawn_until - ON_ITS_WAY, elapsed_s__gt=0)
    rows = rows.filter(~Exists(told)).order_by("-ended_at")
    for code, used, ended_at in rows.values_list("code", "gpu_seconds_used", "ended_at")[
        :MOST_SHOWN
    ]:
        yield Finding(kind=Kind.UNRECORDED, subject=code, ledger_gpu_seconds=used, at=ended_at)


def _without_run(since: datetime) -> Iterator[Finding]:
    """Tell of jobs without a run: billed, yet to be billed, or of nobody we know."""
    rows = Stretch.objects.filter(run=None, is_history=False)
    rows = rows.filter(Q(ended_at__gte=since) | Q(awaits_charge=True)).order_by()
    groups = rows.values_list("account", "user", "allocation").annotate(
        used=Sum(USED),
        jobs=Count("pk"),
        last=Max("ended_at"),
        named=Count("pk", filter=Q(name__startswith=RUNS_BEGIN)),
        waiting=Count("pk", filter=Q(awaits_charge=True)),
    )
    for account, user, allocation, used, jobs, last, named, waiting in groups.order_by(
        "-used", "account", "user"
    )[:MOST_SHOWN]:
        kind = _kind(known=allocation is not None, named=named, waiting=waiting)
        yield Finding(
            kind=kind,
            subject=account,
            detail=user,
            machine_gpu_seconds=used,
            ledger_gpu_seconds=used if kind in {Kind.AROUND, Kind.NO_SUCH_RUN} else None,
            count={Kind.NO_SUCH_RUN: named, Kind.NOT_CHARGED: waiting}.get(kind, jobs),
            at=last,
        )


def _kind(*, known: bool, named: int, waiting: int) -> Kind:
    if not known:
        return Kind.UNKNOWN_ACCOUNT
    if waiting:
        return Kind.NOT_CHARGED
    return Kind.NO_SUCH_RUN if named else Kind.AROUND


def _corrected(since: datetime) -> Iterator[Finding]:
    """Tell which bills the nights corrected, and by how much in all."""
    lines = Line.objects.filter(
        kind__in=[LineKind.COUNTER, LineKind.OVERRUN], at__gte=since, key__contains=NIGHT_KEY
    )
    sums = (
        lines.order_by().values_list("run_key").annotate(sum=Sum("gpu_seconds"), at=Max("at"))
    )
    code = Subquery(Run.objects.filter(key=OuterRef("run_key")).values("code")[:1])
    rows = sums.annotate(code=code).values_list("code", "sum", "at").order_by("-at")
    for run_code, changed, at in rows[:MOST_SHOWN]:
        yield Finding(
            kind=Kind.CORRECTED, subject=run_code or "", ledger_gpu_seconds=changed, at=at
        )

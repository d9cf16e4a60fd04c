"""The API of the machine: the same as the page, for programs."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from django.http import Http404
from django.shortcuts import get_object_or_404
from ninja import Router, Schema

from fabriek.engines.base import Machine
from fabriek.kernel.steps import StepOut
from fabriek.machine import shares, show, standing, usage
from fabriek.machine.queries import Use, Users
from fabriek.machine.shares import ShareYear
from fabriek.people.http import SignedIn
from fabriek.runs.models import Run

router = Router(tags=["machine"])


class NodeOut(Schema):
    """A computer. `state`: free, busy, draining, down or unknown; `reason` for staff only."""

    name: str
    state: str
    gpus: int
    gpus_used: int
    gpu_kind: str
    reason: str


class GpusOut(Schema):
    total: int
    used: int
    free: int
    out_of_service: int

    @classmethod
    def of(cls, machine: Machine) -> "GpusOut":
        return cls(
            total=machine.gpus,
            used=machine.gpus_used,
            free=machine.gpus_free,
            out_of_service=machine.gpus_out,
        )


class QueueOut(Schema):
    """Jobs of everybody that wait for GPUs, and what they ask; `runs` of this factory."""

    jobs: int
    gpus: int
    runs: int


class OwnRunOut(Schema):
    code: str
    case: str
    state: str
    gpus: int
    queue_position: int | None
    waiting: str
    starts_expected_at: datetime | None
    expected_start: str


class UseOut(Schema):
    """Runs that run and wait. `kind`: case, sector, others or total; a case has a `code`."""

    kind: str
    code: str
    name: str
    running: int
    gpus: int
    waiting: int

    @classmethod
    def of(cls, use: Use, kind: str, *, code: str = "", name: str = "") -> "UseOut":
        return cls(
            kind=kind,
            code=code,
            name=name,
            running=use.running,
            gpus=use.gpus,
            waiting=use.waiting,
        )


class ShareMonthOut(Schema):
    """The part of the used GPU-hours of one month; None: nobody used any."""

    month: date
    percent: float | None


class ShareOut(Schema):
    code: str
    name: str
    target_percent: int
    percent: float | None
    months: list[ShareMonthOut]

    @classmethod
    def of(cls, one: ShareYear, months: Sequence[date]) -> "ShareOut":
        return cls(
            code=one.share.code,
            name=str(one.share),
            target_percent=one.target,
            percent=one.percent,
            months=[
                ShareMonthOut(month=month, percent=percent)
                for month, percent in zip(months, one.by_month, strict=True)
            ],
        )


class MachineOut(Schema):
    """`seen_at`: when the machine last answered; None, and nothing of it, before it ever did.

    `silent_since`: since when it gives no answer. `says`: what to expect. `trouble`: why this
    may no longer be so.
    """

    seen_at: datetime | None
    silent_since: datetime | None
    says: str
    trouble: str
    gpus: GpusOut | None
    nodes: list[NodeOut]
    queue: QueueOut | None
    own_runs: list[OwnRunOut]
    users: list[UseOut]
    shares: list[ShareOut]
    next_steps: list[StepOut]


class CountedOut(Schema):
    """What the machine counted; `energy_method`: measured, estimated, or empty: not known."""

    stretches: int
    gpu_seconds: int
    waited_s: int
    energy_j: int | None
    energy_method: str


@router.get("", response=MachineOut)
def machine(request: SignedIn) -> MachineOut:
    seen = standing.last()
    now = show.now(request.user, seen)
    found = now.machine
    year, found_shares = shares.of_the_year()
    months = [month.first for month in year.months]
    return MachineOut(
        seen_at=seen.seen_at if seen and found else None,
        silent_since=seen.silent_since if seen else None,
        says=now.waiting,
        trouble=now.trouble,
        gpus=GpusOut.of(found) if found else None,
        nodes=[NodeOut.from_orm(node) for node in found.nodes] if found else [],
        queue=_queue(found, now.users) if found else None,
        own_runs=[OwnRunOut.from_orm(run) for run in now.runs],
        users=list(_users(now.users)),
        shares=[ShareOut.of(one, months) for one in found_shares],
        next_steps=[StepOut.from_orm(step) for step in now.steps],
    )


@router.get("/runs/{code}", response=CountedOut)
def counted(request: SignedIn, code: str) -> usage.Usage:
    """Tell what the machine's own accounting counted of a run that is over."""
    run = get_object_or_404(Run.objects.visible_to(request.user), code=code)
    told = usage.of(run)
    if told is None:
        raise Http404
    return told


def _queue(machine: Machine, users: Users) -> QueueOut:
    return QueueOut(
        jobs=machine.jobs_waiting, gpus=machine.gpus_waited_for, runs=users.total.waiting
    )


def _users(users: Users) -> Iterator[UseOut]:
    for case in (*users.own, *users.named):
        yield UseOut.of(case, "case", code=case.code, name=case.title)
    for sector in users.sectors:
        yield UseOut.of(sector, "sector", code=sector.code, name=sector.name)
    if users.others.is_some:
        yield UseOut.of(users.others, "others")
    yield UseOut.of(users.total, "total")

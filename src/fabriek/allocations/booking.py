"""Between the ledger's core and the database: read the lines there are, keep what is new."""

from collections.abc import Callable

from django.db import transaction

from fabriek.allocations import ledger
from fabriek.allocations.models import Allocation, Line, Share

Lines = tuple[ledger.Line, ...]
# Decides on the lines there are, for the allocation as it stands under its lock.
Booking = Callable[[Allocation, Lines], Lines]


@transaction.atomic
def book(allocation: Allocation, booking: Booking) -> Lines:
    """Let the ledger's core decide on the lines there are, and keep what it adds.

    The row is locked meanwhile, so that bookings on one allocation stand in a line.
    """
    locked = _locked(allocation)
    lines = _read(locked)
    new = booking(locked, lines)
    _write(locked, lines, new)
    return new


def _locked(allocation: Allocation) -> Allocation:
    return Allocation.objects.select_for_update().get(pk=allocation.pk)


def _read(allocation: Allocation) -> Lines:
    rows = allocation.lines.order_by("pk").values_list(
        "key", "kind", "share__code", "gpu_seconds", "at", "run_key", "note"
    )
    return tuple(
        ledger.Line(
            key=key,
            kind=ledger.LineKind(kind),
            share=share or ledger.FACTORY,
            gpu_seconds=gpu_seconds,
            at=at,
            run_key=run_key,
            note=note,
        )
        for key, kind, share, gpu_seconds, at, run_key, note in rows
    )


def _write(allocation: Allocation, lines: Lines, new: Lines) -> None:
    if not new:
        return
    shares = dict(Share.objects.values_list("code", "pk"))
    Line.objects.bulk_create(
        Line(
            allocation=allocation,
            key=line.key,
            kind=line.kind,
            share_id=shares.get(line.share),
            gpu_seconds=line.gpu_seconds,
            run_key=line.run_key,
            at=line.at,
            note=line.note,
        )
        for line in new
    )
    total = ledger.balance((*lines, *new))
    Allocation.objects.filter(pk=allocation.pk).update(
        gpu_seconds_granted=total.granted,
        gpu_seconds_held=total.held,
        gpu_seconds_spent=total.spent,
        gpu_seconds_expired=total.expired,
    )

"""Setting GPU time aside on an account with a long ledger."""

import statistics
import time
import uuid

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from bench.table import Table
from fabriek.allocations import actions
from fabriek.allocations.models import Allocation, Line

LINES = 1000
TIMES = 20


def measure() -> Table:
    today = timezone.localdate()
    allocation = Allocation.objects.filter(ends_on__gte=today).order_by("-ends_on", "pk")[0]
    before = allocation.lines.count()
    rows = [_row(allocation)]
    _lengthen(allocation)
    rows.append(_row(allocation))
    return Table(
        title="Hold on one allocation",
        header=("lines", "queries", "best ms", "median ms"),
        rows=rows,
        note=f"{TIMES} holds after each other, each in a transaction of its own under the "
        f"row's lock, BEGIN and COMMIT counted; {before} lines is what the allocation had.",
    )


def _lengthen(allocation: Allocation) -> None:
    """Add the lines of runs that used nothing, as the ledger writes them."""
    share = allocation.grants.get().share
    missing = LINES - allocation.lines.count()
    rows = [
        Line(allocation=allocation, key=f"{kind}:bench-{number}:{share.code}", kind=kind,
             share=share, gpu_seconds=60, run_key=f"bench-{number}")
        for number in range(missing // 2 + 1)
        for kind in ("hold", "release")
    ]  # fmt: skip
    Line.objects.bulk_create(rows[: missing // 2 * 2])


def _row(allocation: Allocation) -> tuple[object, ...]:
    count, took = allocation.lines.count(), []
    with CaptureQueriesContext(connection) as captured:
        _hold(allocation)
    for _ in range(TIMES):
        start = time.perf_counter()
        _hold(allocation)
        took.append(1000 * (time.perf_counter() - start))
    return (count, len(captured), min(took), statistics.median(took))


def _hold(allocation: Allocation) -> None:
    actions.hold(allocation, run_key=f"fabriek-{uuid.uuid4().hex}", gpu_seconds=60)

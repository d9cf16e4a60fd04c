"""A curve of a million points: kept by the routes, then drawn on the page of its run."""

import json
import math
import statistics
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.table import Table
from fabriek.tracking import queries, show
from fabriek.tracking.models import Tracked

if TYPE_CHECKING:
    from bench.track.rounds import Place

POINTS, SMALL = 1_000_000, 100_000
A_CALL = 1000
TIMES = 15
DRAWN_MS = 50
NAME = "long"


def measure(places: Sequence["Place"], *, small: bool) -> Table:
    points = SMALL if small else POINTS
    rows, ok = [], True
    for place in places:
        began = time.perf_counter()
        for start in range(0, points, A_CALL):
            place.log(_body(place, start))
        kept_s = time.perf_counter() - began
        pages = [place.page_s() * 1000 for _ in range(TIMES)]
        drawn, cpu = _drawn_ms(place) if "PostgreSQL" in place.name else ([], [])
        ok = ok and min(drawn, default=0.0) <= DRAWN_MS
        rows.append(
            (
                place.name,
                points / kept_s,
                min(pages),
                statistics.median(pages),
                min(drawn) if drawn else None,
                statistics.median(drawn) if drawn else None,
                min(cpu, default=None),
            )
        )
    return Table(
        title=f"A curve of {points:,} points",
        header=(
            "",
            "kept points/s",
            "page min ms",
            "page median ms",
            "curve min ms",
            "curve median ms",
            "curve CPU ms",
        ),
        rows=rows,
        note=f"Kept by log-batch of {A_CALL}. The page has the other figures of the run too; "
        "the curve alone is read and laid out in the process of the bench.",
        ok=ok,
    )


def _body(place: "Place", start: int) -> bytes:
    told = [
        {"key": NAME, "value": math.sin(step / 9999), "timestamp": 1000 + step, "step": step}
        for step in range(start, start + A_CALL)
    ]
    return json.dumps({"run_id": place.run, "metrics": told}).encode()


def _drawn_ms(place: "Place") -> tuple[list[float], list[float]]:
    """Tell what the curve alone takes, by the clock and of a processor of ours."""
    tracked = Tracked.objects.get(uuid=place.run)
    queries.settle_what_waits(tracked)
    took, cpu = [], []
    for _ in range(TIMES):
        began, began_cpu = time.perf_counter(), time.process_time()
        curve = queries.curves(tracked, [NAME])[NAME]
        show.chart_of(NAME, curve)
        took.append((time.perf_counter() - began) * 1000)
        cpu.append((time.process_time() - began_cpu) * 1000)
    return took, cpu

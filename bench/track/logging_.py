"""`log-batch` of 1 to 1,000 figures: ours on both databases beside `mlflow server`, in turn."""

import json
import statistics
import time
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

from bench.table import Table

if TYPE_CHECKING:
    from bench.track.rounds import Place

SIZES = {1: 40, 10: 40, 100: 40, 1000: 12}  # how many figures; so many calls in a round
ROUNDS = 5
NAMES = 10
TIMES_FASTER = 5
steps = count(1)


def measure(places: Sequence["Place"], *, small: bool) -> Table:
    took: dict[tuple[str, int], list[float]] = {}
    for size, calls in SIZES.items():
        for place in places:
            place.log(_body(place, size))
        for _turn in range(1 if small else ROUNDS):
            for place in places:
                found = took.setdefault((place.name, size), [])
                found += [_call_ms(place, size) for _call in range(calls)]
    rows = [_row(place.name, took) for place in places]
    return Table(
        title="log-batch: milliseconds a call, least and median",
        header=("", *(f"{size} {what}" for size in SIZES for what in ("min", "median"))),
        rows=rows,
        note=f"Up to {NAMES} names, then more steps of each. {ROUNDS} rounds in turn, "
        f"{', '.join(f'{calls} of {size}' for size, calls in SIZES.items())} calls a round, "
        "over one connection each. mlflow server: one worker, no jobs beside it.",
        ok=_is_met(rows),
    )


def _call_ms(place: "Place", size: int) -> float:
    body = _body(place, size)
    began = time.perf_counter()
    place.log(body)
    return (time.perf_counter() - began) * 1000


def _body(place: "Place", size: int) -> bytes:
    names = min(size, NAMES)
    told = []
    for _step in range(size // names):
        step = next(steps)
        at = 1_700_000_000_000 + step
        told += [
            {"key": f"figure{name}", "value": 1 / (step + name), "timestamp": at, "step": step}
            for name in range(names)
        ]
    return json.dumps({"run_id": place.run, "metrics": told}).encode()


def _row(name: str, took: dict[tuple[str, int], list[float]]) -> tuple[str | float, ...]:
    cells: list[float] = []
    for size in SIZES:
        cells += [min(took[name, size]), statistics.median(took[name, size])]
    return name, *cells


def _is_met(rows: Sequence[tuple[str | float, ...]]) -> bool:
    """Hold the medians of all sizes to a fifth of the peer's."""
    ours, peer = [row for row in rows if "Fabriek" in str(row[0])], rows[-1]
    return all(
        float(row[place]) * TIMES_FASTER <= float(peer[place])
        for row in ours
        for place in range(2, 2 * len(SIZES) + 1, 2)
        if peer not in ours
    )

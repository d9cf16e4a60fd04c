"""`log-batch` of 1 to 1,000 figures: ours on both databases beside `mlflow server`, in turn."""

import json
import statistics
import time
from collections.abc import Sequence
from itertools import count, product
from typing import TYPE_CHECKING

from bench.table import Table

if TYPE_CHECKING:
    from bench.track.rounds import Place

SIZES = {1: 40, 10: 40, 100: 40, 1000: 12}  # how many figures; so many calls in a round
ROUNDS = 5
NAMES = 10
TIMES_FASTER = 5
OURS = "Fabriek"
steps = count(1)

Row = tuple[str | float, ...]  # whose, then for each size the least and the median


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
    ours = [row for row in rows if str(row[0]).startswith(OURS)]
    peers = [row for row in rows if row not in ours]
    return Table(
        title="log-batch: milliseconds a call, least and median",
        header=("", *(f"{size} {what}" for size in SIZES for what in ("min", "median"))),
        rows=[*rows, *(_times_faster(*pair) for pair in product(ours, peers))],
        note=f"Up to {NAMES} names, then more steps of each. {ROUNDS} rounds in turn, "
        f"{', '.join(f'{calls} of {size}' for size, calls in SIZES.items())} calls a round, "
        "over one connection each. mlflow server: one worker, no jobs beside it. Each of ours "
        f"is held to {TIMES_FASTER} times the peer on the same database, by the medians.",
        ok=_is_met(ours, peers),
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


def _row(name: str, took: dict[tuple[str, int], list[float]]) -> Row:
    cells: list[float] = []
    for size in SIZES:
        cells += [min(took[name, size]), statistics.median(took[name, size])]
    return name, *cells


def _times_faster(ours: Row, peer: Row) -> Row:
    ratios = [float(b) / float(a) for a, b in zip(ours[1:], peer[1:], strict=True)]
    return f"{_database(ours)}, times faster than the peer on {_database(peer)}", *ratios


def _is_met(ours: Sequence[Row], peers: Sequence[Row]) -> bool:
    """Hold the medians of all sizes to a fifth of those of the peer on the same database.

    Where it could not be had there, they are held to those of the other.
    """
    return all(
        float(ratio) >= TIMES_FASTER
        for one in ours
        for peer in ([row for row in peers if _database(row) == _database(one)] or peers)
        for ratio in _times_faster(one, peer)[2::2]
    )


def _database(row: Row) -> str:
    return str(row[0]).partition(", ")[2]

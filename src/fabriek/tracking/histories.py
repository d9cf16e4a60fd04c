"""All of one figure, in the order in which MLflow's own server gives it: by time, step, value.

A program that logs beside its work sends several calls at once, and they overtake each other.
The blocks lie as their points came, so those whose times lie over each other are put in order
together; most often that is one block, and never is more than a few read at once.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fabriek.tracking import packing, queries
from fabriek.tracking.models import Block, Series, Tracked
from fabriek.tracking.packing import BLOCK_POINTS, Point

# A million points. Of more blocks than these that all lie over each other, the first of them
# come before the others: what one call may take of the server's memory ends there.
BLOCKS_TOGETHER = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class _Heap:
    """Blocks whose points belong between each other."""

    blocks: list[int]
    count: int


def history(
    tracked: Tracked, name: str, *, first: int = 0, most: int | None = None
) -> Iterator[Point]:
    """Give the points of one figure; of a page of them, no other blocks are read."""
    queries.settle_what_waits(tracked)
    skip, left = first, math.inf if most is None else most
    for heap in _heaps(tracked, name):
        if skip >= heap.count:
            skip -= heap.count
            continue
        for point in _in_order(heap.blocks)[skip:]:
            if not left:
                return
            yield point
            left -= 1
        skip = 0


def _heaps(tracked: Tracked, name: str) -> Iterator[_Heap]:
    """Part the blocks where one begins after all before it have ended."""
    series = (
        Series.objects.filter(tracked=tracked, name=name).values_list("pk", "count").first()
    )
    if series is None:
        return
    rows = Block.objects.filter(series=series[0]).order_by("at_min", "step_min", "number")
    blocks, count, ended = list[int](), 0, (-math.inf, -math.inf)
    for pk, number, *span in rows.values_list(
        "pk", "number", "at_min", "step_min", "at_max", "step_max"
    ):
        if blocks and (tuple(span[:2]) > ended or len(blocks) == BLOCKS_TOGETHER):
            yield _Heap(blocks=blocks, count=count)
            blocks, count, ended = [], 0, (-math.inf, -math.inf)
        blocks.append(pk)
        count += min(BLOCK_POINTS, series[1] - number * BLOCK_POINTS)
        ended = max(ended, (span[2], span[3]))
    yield _Heap(blocks=blocks, count=count)


def _in_order(blocks: Iterable[int]) -> list[Point]:
    points = [
        point
        for data in Block.objects.filter(pk__in=blocks).values_list("data", flat=True)
        for point in packing.unpack(data)
    ]
    points.sort(key=_place)
    return points


def _place(point: Point) -> tuple[int, int, float]:
    step, at, value = point
    return at, step, -math.inf if math.isnan(value) else value

"""How figures lie in the database: steps, times and values as plain numbers, one after another.

Knows nothing of Django. Whole numbers of 64 bits and doubles, the lowest byte first.
"""

import math
import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

WORD_BYTES = 8
POINT = struct.Struct("<qqd")
EXTREMES = struct.Struct("<qdqd")
BLOCK_POINTS = 4096
BUCKET_POINTS = 256

Point = tuple[int, int, float]  # step, milliseconds since 1970, value
Drawn = tuple[int, float]  # step, value


@dataclass(frozen=True, slots=True)
class Points:
    """Figures of one name, in the order in which they came."""

    steps: "array[int]" = field(default_factory=lambda: array("q"))
    ats: "array[int]" = field(default_factory=lambda: array("q"))
    values: "array[float]" = field(default_factory=lambda: array("d"))

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, part: slice) -> "Points":
        return Points(self.steps[part], self.ats[part], self.values[part])

    def __iter__(self) -> Iterator[Point]:
        return iter(zip(self.steps, self.ats, self.values, strict=True))

    def add(self, step: int, at: int, value: float) -> None:
        self.steps.append(step)
        self.ats.append(at)
        self.values.append(value)

    def extend(self, more: "Points") -> None:
        self.steps.extend(more.steps)
        self.ats.extend(more.ats)
        self.values.extend(more.values)

    def keys(self) -> Iterator[tuple[int, int, bytes]]:
        """Give what makes a point the same as another: NaN is the same as NaN."""
        raw = self.values.tobytes()
        bits = (raw[at : at + WORD_BYTES] for at in range(0, len(raw), WORD_BYTES))
        return iter(zip(self.steps, self.ats, bits, strict=True))

    def pack(self) -> bytes:
        return _bytes(self.steps) + _bytes(self.ats) + _bytes(self.values)


def unpack(data: "bytes | memoryview") -> Points:
    raw = memoryview(data)
    third = len(raw) // 3
    points = Points()
    for numbers, at in ((points.steps, 0), (points.ats, third), (points.values, 2 * third)):
        numbers.frombytes(raw[at : at + third])
        if sys.byteorder == "big":
            numbers.byteswap()
    return points


def pack_point(point: Point) -> bytes:
    return POINT.pack(*point)


def unpack_point(data: "bytes | memoryview") -> Point:
    step, at, value = POINT.unpack(bytes(data))
    return step, at, value


def latest(points: Points) -> Point:
    """Give the point of the highest step; of those the newest, and of those the highest."""
    highest = max(points.steps)
    if points.steps.count(highest) == 1:
        place = points.steps.index(highest)
        return points.steps[place], points.ats[place], points.values[place]
    return max((point for point in points if point[0] == highest), key=order)


def order(point: Point) -> tuple[int, int, float]:
    step, at, value = point
    return step, at, -math.inf if math.isnan(value) else value


def summary(points: Points) -> bytes:
    """Give where each bucket is lowest and highest; what is no number is left out."""
    found = []
    for start in range(0, len(points), BUCKET_POINTS):
        steps = points.steps[start : start + BUCKET_POINTS]
        values = points.values[start : start + BUCKET_POINTS]
        finite = [value for value in values if math.isfinite(value)]
        if finite:
            low, high = min(finite), max(finite)
            low_at, high_at = steps[values.index(low)], steps[values.index(high)]
            found.append(EXTREMES.pack(low_at, low, high_at, high))
    return b"".join(found)


def drawn(summary: "bytes | memoryview") -> Iterator[Drawn]:
    for low_at, low, high_at, high in EXTREMES.iter_unpack(bytes(summary)):
        yield low_at, low
        if high_at != low_at:
            yield high_at, high


def _bytes(numbers: "array[int] | array[float]") -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()

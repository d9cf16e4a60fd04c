"""Line charts: ticks, thinning and paths worked out here, drawn by `parts/_chart.html`.

Coordinates leave this module as text: a template in Dutch would write 12.5 as `12,5`, which
is no coordinate.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from fabriek.kernel import words
from fabriek.kernel.errors import Text

Point = tuple[float, float]

MOST_POINTS = 300
MOST_ROWS = 40
SIDE = 1000  # the drawing is a square of 1000 by 1000, stretched over its place
X_TICKS = 6
Y_TICKS = 5
LINE_STYLES = 6
# 1-2-5 steps: a reader divides by them without thinking.
NICE_STEPS = (1, 2, 5, 10)
LEFTMOST_PERCENT = 4
RIGHTMOST_PERCENT = 96
# A drawing goes no further than this: the span of two such numbers is still a number.
FURTHEST = 1e300
NARROWEST = 1e-300
EXPONENT_FROM, EXPONENT_BELOW = 1e15, 1e-9  # where digits would fill the margin
SAME = 1e-14  # of their size: numbers so close together are one place of a drawing


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    name: Text
    points: Sequence[Point]
    write: Callable[[float], str] | None = None  # how its values are told; else in four figures
    is_cloud: bool = False  # points that stand alone, with no line from one to the next


@dataclass(frozen=True, kw_only=True, slots=True)
class Tick:
    label: str
    at: str  # percent from the left or the top
    point: str  # the same in the drawing's own units
    anchor: str = "middle"


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    name: Text
    place: int  # 1, 2, 3 ...: colour and dashes follow from it
    path: str
    last: str
    is_dot: bool = False  # one measurement only, or some that stand alone


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    at: str
    values: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LineChart:
    title: Text
    x_label: Text
    y_label: Text
    x_ticks: tuple[Tick, ...] = ()
    y_ticks: tuple[Tick, ...] = ()
    lines: tuple[Line, ...] = ()
    rows: tuple[Row, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.lines


def line_chart(
    series: Sequence[Series],
    *,
    x_label: Text,
    y_label: Text,
    title: Text,
    x_names: Sequence[str] | Callable[[float], str] = (),
    y_shows: Sequence[float] = (),
) -> LineChart:
    """Lay out one chart; measurements that are no number (NaN, infinite) are left out.

    `x_names`: what stands for the places 0, 1, 2 ... where these are no amounts, such as
    months; or how a place is told, such as the power of ten on an axis of logarithms.
    `y_shows`: heights that are shown whatever the measurements are.
    """
    made = [replace(one, points=_finite(one.points)) for one in series]
    # By its place among all: in each of several charts one series keeps its colour.
    placed = [(place, one) for place, one in enumerate(made, start=1) if one.points]
    clean = [one for _place, one in placed]
    if not clean:
        return LineChart(title=title, x_label=x_label, y_label=y_label)
    every = [point for one in clean for point in one.points]
    write, names = (x_names, ()) if callable(x_names) else (None, x_names)
    across = [0.0, len(names) - 1.0] if names else [x for x, _ in every]
    x_axis = _Axis.around(across, X_TICKS, tight=True, names=names, write=write)
    y_axis = _Axis.around([*y_shows, *(y for _, y in every)], Y_TICKS, tight=False)
    return LineChart(
        title=title,
        x_label=x_label,
        y_label=y_label,
        x_ticks=x_axis.ticks(upwards=False),
        y_ticks=y_axis.ticks(upwards=True),
        lines=tuple(_line(one, place, x_axis, y_axis) for place, one in placed),
        rows=_rows(clean, names, write),
    )


def nice_step(span: float, most_ticks: int) -> float:
    """Find the smallest 1, 2 or 5 times a power of ten with at most `most_ticks` gaps."""
    rough = span / most_ticks
    power = 10.0 ** math.floor(math.log10(rough))
    # A hair of tolerance: 0.3 / 3 is a little more than 0.1.
    return next(power * nice for nice in NICE_STEPS if power * nice >= rough * (1 - 1e-9))


def thin(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """Keep the points that shape the line: ends, and of each bucket its lowest and highest.

    Peaks survive, which an average would hide.
    """
    if len(points) <= most:
        return list(points)
    inner = points[1:-1]
    buckets = (most - 2) // 2
    kept: list[Point] = [points[0]]
    for start, stop in pairwise(round(i * len(inner) / buckets) for i in range(buckets + 1)):
        bucket = inner[start:stop]
        extremes = {min(bucket, key=lambda p: p[1]), max(bucket, key=lambda p: p[1])}
        kept.extend(sorted(extremes))
    return [*kept, points[-1]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Axis:
    low: float
    high: float
    step: float
    names: Sequence[str] = ()
    write: Callable[[float], str] | None = None

    @classmethod
    def around(
        cls,
        values: Sequence[float],
        most_ticks: int,
        *,
        tight: bool,
        names: Sequence[str] = (),
        write: Callable[[float], str] | None = None,
    ) -> "_Axis":
        """Make an axis: a tight one ends at the data, a loose one at the next tick."""
        low, high = _held(min(values)), _held(max(values))
        size = max(abs(low), abs(high))
        if high - low <= max(size * SAME, NARROWEST if size else 0):
            room = size / 2 if size > NARROWEST else 0.5
            low, high = low - (0 if tight else room), high + room
        step = nice_step(high - low, most_ticks)
        step = max(step, 1) if names else step
        if not tight:
            low, high = math.floor(low / step) * step, math.ceil(high / step) * step
        return cls(low=low, high=high, step=step, names=names, write=write)

    def share(self, value: float) -> float:
        return (_held(value) - self.low) / (self.high - self.low)

    def ticks(self, *, upwards: bool) -> tuple[Tick, ...]:
        first, last = (
            math.ceil(self.low / self.step - 1e-9),
            math.floor(self.high / self.step + 1e-9),
        )
        return tuple(self._tick(n * self.step, upwards) for n in range(first, last + 1))

    def _tick(self, value: float, upwards: bool) -> Tick:
        share = self.share(value)
        percent = 100 * ((1 - share) if upwards else share)
        return Tick(
            label=self._label(value),
            at=f"{percent:.2f}",
            point=f"{percent * SIDE / 100:.1f}",
            anchor=_anchor(percent),
        )

    def _label(self, value: float) -> str:
        if self.names:
            return self.names[round(value)] if value < len(self.names) else ""
        if self.write:
            return self.write(value)
        if self.step >= EXPONENT_FROM or max(-self.low, self.high) < EXPONENT_BELOW:
            return f"{value:.4g}"
        return words.number(value, _decimals_of(self.step))


def _held(value: float) -> float:
    return min(max(value, -FURTHEST), FURTHEST)


def _anchor(percent: float) -> str:
    """Keep the outermost labels inside the drawing."""
    if percent < LEFTMOST_PERCENT:
        return "start"
    return "end" if percent > RIGHTMOST_PERCENT else "middle"


def _finite(points: Sequence[Point]) -> list[Point]:
    return sorted((x, y) for x, y in points if math.isfinite(x) and math.isfinite(y))


def _line(series: Series, place: int, x_axis: _Axis, y_axis: _Axis) -> Line:
    steps = [
        f"{x_axis.share(x) * SIDE:.1f} {(1 - y_axis.share(y)) * SIDE:.1f}"
        for x, y in thin(series.points)
    ]
    # A single measurement is still to be seen: a stroke of no length draws its round cap.
    is_dot = len(steps) == 1 or series.is_cloud
    path = "".join(f"M{one}h0.1" for one in steps) if is_dot else "M" + "L".join(steps)
    return Line(
        name=series.name,
        place=(place - 1) % LINE_STYLES + 1,
        path=path,
        last=_said(series, series.points[-1][1]),
        is_dot=is_dot,
    )


def _rows(
    series: Sequence[Series],
    x_names: Sequence[str],
    x_write: Callable[[float], str] | None = None,
) -> tuple[Row, ...]:
    """Fill the table: evenly chosen places, the last one always among them."""
    values = [(one, dict(one.points)) for one in series]
    places = sorted({x for _one, points in values for x in points})
    chosen = _evenly(places, MOST_ROWS)
    return tuple(
        Row(
            at=_place_said(x, x_names, x_write),
            values=tuple(
                _said(one, points[x]) if x in points else "" for one, points in values
            ),
        )
        for x in chosen
    )


def _place_said(x: float, names: Sequence[str], write: Callable[[float], str] | None) -> str:
    if names:
        return names[round(x)]
    return write(x) if write else words.number(x, 0 if x == round(x) else 2)


def _evenly(places: Sequence[float], most: int) -> list[float]:
    if len(places) <= most:
        return list(places)
    return [places[round(i * (len(places) - 1) / (most - 1))] for i in range(most)]


def _decimals_of(step: float) -> int:
    return max(0, -math.floor(math.log10(step) + 1e-9))


def _said(series: Series, value: float) -> str:
    return series.write(value) if series.write else _short(value)


def _short(value: float) -> str:
    """Four figures: what a reader compares; never an exponent for everyday amounts."""
    if value == 0 or abs(value) >= SIDE:
        return words.number(value, 0)
    return words.number(value, min(8, max(0, 3 - math.floor(math.log10(abs(value))))))

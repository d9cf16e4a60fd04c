"""How long rows are, drawn by `runs/_histogram.html`: bars worked out here.

Coordinates leave this module as text: a template in Dutch would write 12.5 as `12,5`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from fabriek.kernel.charts import SIDE, nice_step
from fabriek.kernel.words import number

BARS, TICKS_X, TICKS_Y = 20, 5, 4
GAP = 0.08  # of the width of a bar

Lengths = Sequence[tuple[int, int]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """Rows of `low` to `high` tokens; `is_over`: they are longer than what is used."""

    x: str
    y: str
    width: str
    height: str
    low: str
    high: str
    rows: str
    is_over: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Tick:
    label: str
    at: str
    point: str
    anchor: str = "middle"


@dataclass(frozen=True, kw_only=True, slots=True)
class Histogram:
    bars: tuple[Bar, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    limit: str = ""
    """Where the longest row that is used would stand, when that is inside the drawing."""


def histogram(lengths: Lengths, *, most: int) -> Histogram | None:
    """Put rows together by length; nothing where there are none."""
    if not lengths:
        return None
    longest = max(size for size, _rows in lengths)
    step = max(1, ceil(nice_step(max(longest, 1), BARS)))
    count = longest // step + 1
    rows = [0] * count
    for size, some in lengths:
        rows[size // step] += some
    tick = max(1, ceil(nice_step(max(rows), TICKS_Y)))
    top = ceil(max(rows) / tick) * tick
    end = count * step
    return Histogram(
        bars=tuple(_bar(at, some, step, (end, top), most) for at, some in enumerate(rows)),
        x_ticks=_x_ticks(end),
        y_ticks=tuple(_tick(value, 1 - value / top) for value in range(0, top + 1, tick)),
        limit=_point(most / end) if most < end else "",
    )


def _bar(at: int, rows: int, step: int, ends: tuple[int, int], most: int) -> Bar:
    end, top = ends
    width, height = step / end, rows / top
    return Bar(
        x=_point(at * width + GAP * width / 2),
        y=_point(1 - height),
        width=_point(width * (1 - GAP)),
        height=_point(height),
        low=number(at * step),
        high=number(at * step + step - 1),
        rows=number(rows),
        is_over=at * step > most,
    )


def _x_ticks(end: int) -> tuple[Tick, ...]:
    step = max(1, ceil(nice_step(end, TICKS_X)))
    return tuple(_tick(value, value / end) for value in range(0, end + 1, step))


def _tick(value: int, share: float) -> Tick:
    anchor = "start" if share == 0 else "end" if share > 0.96 else "middle"  # noqa: PLR2004
    return Tick(
        label=number(value), at=f"{100 * share:.2f}", point=_point(share), anchor=anchor
    )


def _point(share: float) -> str:
    return f"{share * SIDE:.1f}"

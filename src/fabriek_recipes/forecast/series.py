"""Reads the series of a table: their step, their order, and what is missing between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fabriek_recipes import split_column, tables
from fabriek_recipes.events import Events
from fabriek_recipes.forecast.knobs import Knobs, column_problems
from fabriek_recipes.tables import Table
from fabriek_recipes.tabular import columns, reading
from fabriek_recipes.training.process import Job
from fabriek_recipes.words import Failed, Sentence, _, counted

Values = NDArray[np.float64]
Known = NDArray[np.bool_]
Unit = Literal["second", "month"]

SERIES_MAX = 2_000
MOMENTS_MAX = 200_000
# With more holes than this a series is no series.
HOLES_SHARE = 0.3
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
WEEK_S = 7 * DAY_S
LEAST = 6
# After how many steps figures usually come back.
SEASONS: dict[tuple[Unit, int], int] = {
    ("second", HOUR_S): 24,
    ("second", DAY_S): 7,
    ("second", WEEK_S): 52,
    ("month", 1): 12,
    ("month", 3): 4,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The distance between two moments: some seconds, or some months."""

    unit: Unit
    count: int
    has_zone: bool = False
    """Moments were given with a zone; they are counted and told in UTC."""

    @property
    def season(self) -> int:
        """After how many steps it usually comes back; 1 where that is unknown."""
        return SEASONS.get((self.unit, self.count), 1)

    def place(self, second: float) -> float:
        """Give the place of a moment in steps."""
        if self.unit == "second":
            return second / self.count
        at = _at(second)
        return (at.year * 12 + at.month - 1) / self.count

    def moment(self, first: float, steps: int) -> str:
        """Write the moment so many steps after `first`."""
        at = _at(first)
        if self.unit == "month":
            # From the month itself: of a quarter that ends in June half would be rounded away.
            months = at.year * 12 + at.month - 1 + steps * self.count
            return f"{months // 12:04d}-{months % 12 + 1:02d}"
        at = _at(first + steps * self.count)
        if self.count % DAY_S == 0 and first % DAY_S == 0:
            return f"{at:%Y-%m-%d}"
        is_minute = self.count % MINUTE_S == 0 and first % MINUTE_S == 0
        written = f"{at:%Y-%m-%d %H:%M}" if is_minute else f"{at:%Y-%m-%d %H:%M:%S}"
        return f"{written}Z" if self.has_zone else written


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """One series at an even step, with NaN where nothing was measured."""

    name: str
    step: Step
    first: float
    values: Values

    def __len__(self) -> int:
        """Count moments, measured or not."""
        return len(self.values)

    @property
    def is_known(self) -> Known:
        """Tell which moments were measured."""
        return ~np.isnan(self.values)

    def past(self, end: int) -> Values:
        """Give the values before `end`, each hole filled from what was measured before `end`.

        A line to what came after would tell a forecast what it is to find.
        """
        values = self.values[:end]
        known = np.flatnonzero(~np.isnan(values))
        found: Values = np.interp(np.arange(end), known, values[known])
        return found

    def moment(self, place: int) -> str:
        """Write the moment of a place; those after the last are forecast."""
        return self.step.moment(self.first, place)


def read(job: Job[Knobs]) -> list[Series]:
    """Read all series of the run's table, those too short left out and told.

    Raises:
        Failed: with the column, the line or the series that stands in the way.
    """
    knobs = job.knobs
    files = tables.files_of(job.input("dataset"))
    table = tables.load(files.train + files.held_out)
    for problem in column_problems(knobs, tuple(table.columns)):
        raise Failed("bad_column", problem.msgid, **dict(problem.values))
    (times, has_zone), values = _times(table, knobs), _values(table, knobs)
    names = _names(table, knobs)
    step = _step(times, names, has_zone=has_zone)
    found = []
    short: list[str] = []
    for name, rows in _rows_of(names, values).items():
        one = _series(name, rows, table, (times, values), step)
        if len(one) < max(LEAST, knobs.horizon + LEAST):
            short.append(name)
            continue
        found.append(one)
    _tell_short(job.events, short)
    _tell_split(job.events, table, knobs)
    if not found:
        text = _(
            "No series has enough moments: to forecast %(horizon)s steps at least %(least)s "
            "are needed. Look less far ahead, or add figures."
        )
        raise Failed("too_short", text, horizon=knobs.horizon, least=knobs.horizon + LEAST)
    _tell_holes(job.events, found)
    return found


def _times(table: Table, knobs: Knobs) -> tuple[Values, bool]:
    """Read the moments, and tell whether they are those of a zone."""
    name = " ".join(knobs.time_column.split())
    column = table.columns[name]
    months = [f"{word}-01" if _is_month(word) else word for word in column.words]
    words = [f"{word}-01-01" if _is_year(word) else word for word in months]
    order = reading.order_of(words)
    shown = reading.moments_of(words, order, on_the_wall=True)
    # A day begins at midnight where it is: in UTC one of them would last 23 hours.
    has_zone = reading.has_zone(words) and bool((shown % DAY_S > 0).any())
    read_ = reading.moments_of(words, order) if has_zone else shown
    return _required(table, name, columns.spread(read_, columns.codes_of(column))), has_zone


def _values(table: Table, knobs: Knobs) -> Values:
    name = " ".join(knobs.value_column.split())
    column = table.columns[name]
    style = reading.style_of(name, table, knobs.unclear_numbers)
    read_ = reading.numbers_of(column.words, style)
    codes = columns.codes_of(column)
    bad = np.flatnonzero(np.isnan(columns.spread(read_, codes)) & (codes >= 0))
    if len(bad):
        row = int(bad[0])
        # Not what stands there: the data may be lent, to learn from and not to be read.
        text = _("In line %(line)s column “%(name)s” holds no number; mend it.")
        raise Failed("bad_value", text, line=table.lines[row], name=name)
    return columns.spread(read_, codes)


def _required(table: Table, name: str, found: Values) -> Values:
    bad = np.flatnonzero(np.isnan(found))
    if len(bad):
        text = _(
            "In line %(line)s column “%(name)s” holds no day or moment, such as 2026-01-31 or "
            "2026-01-31 13:00; mend it."
        )
        raise Failed("bad_time", text, line=table.lines[int(bad[0])], name=name)
    return found


def _names(table: Table, knobs: Knobs) -> list[str]:
    name = " ".join(knobs.series_column.split())
    if not name:
        return [""] * len(table)
    column = table.columns[name]
    if len(column.words) > SERIES_MAX:
        text = _("There are %(count)s series; the most is %(most)s. Take some of them.")
        raise Failed("too_many", text, count=len(column.words), most=SERIES_MAX)
    words = [*column.words, ""]
    return [words[code] for code in column.codes]


def _rows_of(names: Sequence[str], values: Values) -> dict[str, list[int]]:
    """Give the rows of each series; a moment without a value is one that is missing."""
    found: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        if not np.isnan(values[row]):
            found.setdefault(name, []).append(row)
    return found


def _step(times: Values, names: Sequence[str], *, has_zone: bool) -> Step:
    """Find the step that all series have in common."""
    gaps: Counter[int] = Counter()
    last: dict[str, float] = {}
    for row in np.argsort(times, kind="stable").tolist():
        name = names[row]
        if name in last and times[row] > last[name]:
            gaps[round(times[row] - last[name])] += 1
        last[name] = float(times[row])
    if not gaps:
        raise Failed("one_moment", _("All rows are of one moment; a series has several."))
    usual = gaps.most_common(1)[0][0]
    days = usual / DAY_S
    for months in (1, 3, 12):
        if all(round(gap / DAY_S) >= 28 * months for gap in gaps) and (
            28 * months <= days <= 31 * months + (months > 3)  # noqa: PLR2004
        ):
            return Step(unit="month", count=months)
    return Step(unit="second", count=usual, has_zone=has_zone)


def _series(
    name: str, rows: Sequence[int], table: Table, read_: tuple[Values, Values], step: Step
) -> Series:
    times, values = read_
    ordered = sorted(rows, key=lambda row: times[row])
    first = float(times[ordered[0]])
    start = step.place(first)
    places: dict[int, int] = {}
    for row in ordered:
        exact = step.place(float(times[row])) - start
        place = round(exact)
        if abs(exact - place) > 0.01:  # noqa: PLR2004  a hundredth of a step: rounding
            text = _(
                "Line %(line)s does not fall on the step that most moments have; a series "
                "needs an even step."
            )
            raise Failed("uneven", text, line=table.lines[row])
        if place in places:
            text = _(
                "Lines %(one)s and %(other)s are of the same moment; keep one, or name the "
                "column of the series."
            )
            raise Failed("twice", text, one=table.lines[places[place]], other=table.lines[row])
        places[place] = row
    whole = _spread(table.lines[ordered[0]], places, values)
    return Series(name=name, step=step, first=first, values=whole)


def _spread(line: int, places: dict[int, int], values: Values) -> Values:
    """Put values at their places. Raises: Failed, where there are too many holes."""
    length = max(places) + 1
    if length > MOMENTS_MAX or length * (1 - HOLES_SHARE) > len(places) + 1:
        text = _(
            "The series that begins in line %(line)s has %(known)s of %(count)s moments; fill "
            "its holes or take a larger step."
        )
        raise Failed("holes", text, line=line, known=len(places), count=length)
    found: Values = np.full(length, np.nan)
    for place, row in places.items():
        found[place] = values[row]
    return found


def _tell_short(events: Events, short: Sequence[str]) -> None:
    if short:
        said = counted(
            _("%(count)s series is too short and was left out."),
            _("%(count)s series are too short and were left out."),
            count=len(short),
        )
        events.warning("short", said)


def _tell_split(events: Events, table: Table, knobs: Knobs) -> None:
    """Say that time decides what a forecast is tried on, where a column says otherwise."""
    used = {knobs.time_column, knobs.value_column, knobs.series_column}
    words = {name: column.words for name, column in table.columns.items()}
    if name := split_column.column_of(words, used):
        text = _(
            "Column “%(name)s” divides the rows, and is not used: a forecast is tried on the "
            "last moments, from those before."
        )
        events.warning("split_column", Sentence(text, name=name[:60]))


def _tell_holes(events: Events, found: Sequence[Series]) -> None:
    holes = sum(int((~one.is_known).sum()) for one in found)
    if holes:
        said = counted(
            _("%(count)s missing moment was filled by a straight line between others."),
            _("%(count)s missing moments were filled by a straight line between others."),
            count=holes,
        )
        events.warning("holes", said)


def _is_month(word: str) -> bool:
    return len(word) == 7 and word[4] == "-" and word.replace("-", "").isdigit()  # noqa: PLR2004


def _is_year(word: str) -> bool:
    return len(word) == 4 and word.isdigit()  # noqa: PLR2004


def _at(second: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)

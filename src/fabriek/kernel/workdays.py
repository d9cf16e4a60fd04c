"""Dutch working days: when something counts as received, when a promise is due, what is left.

Days off are Saturday, Sunday and what the `holidays` package (0.109) lists as public in the
Netherlands: New Year's Day, Easter Sunday and Monday, King's Day, Ascension Day, Whit Sunday
and Monday, both Christmas days, and Liberation Day once in five years (2030, 2035 ...).

Two days are a choice of the factory, since the law on terms and the practice of offices differ.
The Algemene termijnenwet (article 3) names 5 May every year and puts Good Friday on a par, but
says nothing about who is free. The package counts Good Friday as public; here it is a working
day, and so is 5 May in other years: an applicant is then never promised a later day than most
offices would keep. `Calendar` takes another choice, and the factory's own closing days.

What arrives after closing time, or on a day off, counts as received on the next working day.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import accumulate
from zoneinfo import ZoneInfo

import holidays

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
GOOD_FRIDAY = "goede vrijdag"
_SATURDAY = 5
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Which days are worked, and until when. Holidays are named in Dutch, in lower case."""

    closes_at: time = time(17)
    zone: ZoneInfo = field(default=AMSTERDAM)
    worked_holidays: frozenset[str] = frozenset({GOOD_FRIDAY})
    closed_on: frozenset[date] = frozenset()


DUTCH = Calendar()


def is_workday(day: date, *, calendar: Calendar = DUTCH) -> bool:
    if day.weekday() >= _SATURDAY or day in calendar.closed_on:
        return False
    return day not in _days_off(day.year, calendar.worked_holidays)


def received_on(moment: date, *, calendar: Calendar = DUTCH) -> date:
    """Name the working day on which a moment (or plain day) counts as received."""
    day = _arrives_on(moment, calendar)
    while not is_workday(day, calendar=calendar):
        day += _DAY
    return day


def add_workdays(moment: date, workdays: int, *, calendar: Calendar = DUTCH) -> date:
    """Name the last day of a promise: so many working days after the day of receipt."""
    if workdays < 0:
        raise ValueError("a promise lies ahead")
    day = received_on(moment, calendar=calendar)
    for _ in range(workdays):
        day = received_on(day + _DAY, calendar=calendar)
    return day


def due_at(moment: date, workdays: int, *, calendar: Calendar = DUTCH) -> datetime:
    """Name the moment at which a promise is broken: closing time of its last day."""
    due_on = add_workdays(moment, workdays, calendar=calendar)
    return datetime.combine(due_on, calendar.closes_at, tzinfo=calendar.zone)


def workdays_between(start: date, end: date, *, calendar: Calendar = DUTCH) -> int:
    """Count working days from the receipt of `start` to that of `end`; negative if reversed.

    So a promise of n days is kept exactly when at most n lie between.
    """
    first = _arrives_on(start, calendar)
    last = _arrives_on(end, calendar)
    if last < first:
        return -workdays_between(end, start, calendar=calendar)
    whole_years = sum(
        _worked_before(year, calendar)[date(year + 1, 1, 1)]
        for year in range(first.year, last.year)
    )
    worked_by_last = whole_years + _worked_before(last.year, calendar)[last]
    return worked_by_last - _worked_before(first.year, calendar)[first]


def _arrives_on(moment: date, calendar: Calendar) -> date:
    """Name the day on which a moment (or plain day) arrives, be it worked or not."""
    if not isinstance(moment, datetime):
        return moment
    local = _local(moment, calendar)
    # A moment at closing time to the second is still in time.
    is_late = local.time() > calendar.closes_at
    return local.date() + _DAY if is_late else local.date()


def _local(moment: datetime, calendar: Calendar) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return moment.astimezone(calendar.zone)


@lru_cache(maxsize=64)
def _worked_before(year: int, calendar: Calendar) -> dict[date, int]:
    """Count, for each day up to the next New Year's Day, the days of the year worked before it.

    A report counts between thousands of pairs of days: each day is looked at once, not for
    each pair.
    """
    days = [date(year, 1, 1) + _DAY * n for n in range(367)]
    worked = accumulate((is_workday(day, calendar=calendar) for day in days), initial=0)
    return dict(zip(days, worked, strict=False))


@lru_cache(maxsize=64)
def _days_off(year: int, worked_holidays: frozenset[str]) -> frozenset[date]:
    # The first use in a process also loads every country of the package, about 0.1 s.
    public = holidays.country_holidays("NL", years=year, language="nl")
    return frozenset(day for day, name in public.items() if name.lower() not in worked_holidays)

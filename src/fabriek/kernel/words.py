"""Amounts, times and sizes in the words of the reader's language."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar, TypeVarTuple

from django.utils import timezone
from django.utils.formats import date_format, get_format
from django.utils.translation import get_language, gettext, ngettext, override

from fabriek import figures
from fabriek.kernel.units import SECONDS_PER_HOUR

# A reader thinks in days up to two months ahead, then in months, then in years.
DAYS_IN_DAYS = 60
DAYS_IN_MONTHS = 730
DAYS_PER_MONTH = 30.44
DAYS_PER_YEAR = 365.25
MINUTE_S = 60
HOUR_S = 3600
SIZE_STEP = 1000
SIZE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
MOST_KEPT = 2048

Args = TypeVarTuple("Args")
Given = ParamSpec("Given")
Found = TypeVar("Found")


def kept(say: Callable[[*Args], str]) -> Callable[[*Args], str]:
    """Remember what was said, for each language: lists say the same few things all day.

    Looking up one sentence costs Django more than all else it takes to show a cell.
    """

    @lru_cache(maxsize=MOST_KEPT)
    def said(_language: str | None, *args: *Args) -> str:
        return say(*args)

    @wraps(say)
    def in_the_readers_language(*args: *Args) -> str:
        return said(get_language(), *args)

    return in_the_readers_language


def in_this_language(work: Callable[Given, Found]) -> Callable[Given, Found]:
    """Let `work` speak the language of who asks, in whatever thread it is done."""
    language = get_language()

    @wraps(work)
    def done(*words: Given.args, **more: Given.kwargs) -> Found:
        with override(language):
            return work(*words, **more)

    return done


def number(value: float, decimals: int = 0) -> str:
    """Write 1234.5 as `1.234,5` for a Dutch reader and as `1,234.5` for an English one."""
    # Not by Django, which cuts surplus decimals off where people expect them rounded.
    return f"{value:,.{decimals}f}".translate(_signs(get_language()))


@lru_cache
def _signs(language: str | None) -> dict[int, int]:
    """Map the signs of an English number to those of this language."""
    thousands = get_format("THOUSAND_SEPARATOR", language, use_l10n=True)
    decimals = get_format("DECIMAL_SEPARATOR", language, use_l10n=True)
    return str.maketrans(",.", thousands + decimals)


def gpu_hours_number(gpu_seconds: int, decimals: int | None = None) -> str:
    """Write GPU-seconds as a number of hours, as precise as the amount deserves."""
    hours = gpu_seconds / SECONDS_PER_HOUR
    if decimals is not None:
        return number(hours, decimals)
    return number(hours, decimals_worth_showing(hours))


def gpu_hours(gpu_seconds: int) -> str:
    """Write GPU-seconds as hours with their unit: `1.234,5 GPU-uren`."""
    one = 1 if gpu_seconds == SECONDS_PER_HOUR else 2
    return ngettext("%(hours)s GPU-hour", "%(hours)s GPU-hours", one) % {
        "hours": gpu_hours_number(gpu_seconds)
    }


def size(size_bytes: int) -> str:
    """Write bytes in the unit people meet on their own disk: 1,2 GB."""
    amount, unit = float(size_bytes), 0
    # 999.95 would be written as "1.000,0 kB": step up before rounding does.
    while abs(amount) >= SIZE_STEP - 0.05 and unit < len(SIZE_UNITS) - 1:
        amount, unit = amount / SIZE_STEP, unit + 1
    decimals = 0 if unit == 0 or amount == round(amount) else 1
    return f"{number(amount, decimals)} {SIZE_UNITS[unit]}"


def euro(eur_cents: int) -> str:
    """Write cents as euros: `€ 1.234,50` in Dutch, `€1,234.50` in English."""
    sign = "-" if eur_cents < 0 else ""
    return f"{sign}€{_dutch_space()}{number(abs(eur_cents) / 100, 2)}"


def score(name: str, value: float | None) -> str:
    """Write a score of a model: `52,4 %` or `0,123` in Dutch, `52.4%` or `0.123` in English."""
    if value is None:
        return gettext("not measured")
    return figures.score(name, value, number=number, percent=percent_sign())


def percent_sign() -> str:
    """Give what stands behind a number: `52,4 %` in Dutch, `52.4%` in English."""
    return f"{_dutch_space()}%"


def day(value: date | datetime) -> str:
    """Write a day as `5 December 2026`."""
    return _day(_as_day(_local(value)))


@kept
def _day(value: date) -> str:
    return date_format(value, "j F Y")


def moment(value: datetime) -> str:
    """Write a moment as `5 December 2026, 14:05`."""
    local = _local(value)
    return f"{_day(_as_day(local))}, {local:%H:%M}"


def moment_there(value: datetime) -> str:
    """Write a moment with the clock it is on: `5 December 2026, 14:05 (Amsterdam, CET)`.

    For what people wait for to the minute, and read far from here or in a mail. The short name
    tells the two hours apart that have one time in autumn.
    """
    local = timezone.localtime(value)
    city = timezone.get_current_timezone_name().rpartition("/")[2].replace("_", " ")
    return f"{moment(local)} ({city}, {local:%Z})"


def when(value: date | datetime, *, now: datetime | None = None) -> str:
    """Say how far away it is and when: `in 12 days, on 5 December 2026`."""
    now = now or timezone.now()
    local = _local(value)
    days = (_as_day(local) - timezone.localtime(now).date()).days
    if days == 0:
        return _today(local, now)
    return _far(days, _as_day(local))


@kept
def _far(days: int, value: date) -> str:
    return gettext("%(distance)s, on %(day)s") % {
        "distance": _distance(days),
        "day": _day(value),
    }


def _dutch_space() -> str:
    return "\N{NO-BREAK SPACE}" if (get_language() or "").startswith("nl") else ""


def _today(local: date | datetime, now: datetime) -> str:
    if not isinstance(local, datetime):
        return gettext("today")
    ago = now - local
    if timedelta(0) <= ago < timedelta(seconds=MINUTE_S):
        return gettext("just now")
    if timedelta(0) <= ago < timedelta(seconds=HOUR_S):
        minutes = int(ago.total_seconds() // MINUTE_S)
        return ngettext("%(count)d minute ago", "%(count)d minutes ago", minutes) % {
            "count": minutes
        }
    return _today_at(f"{local:%H:%M}")


@kept
def _today_at(time: str) -> str:
    return gettext("today at %(time)s") % {"time": time}


def _distance(days: int) -> str:
    if days == 1:
        return gettext("tomorrow")
    if days == -1:
        return gettext("yesterday")
    far = abs(days)
    if far < DAYS_IN_DAYS:
        text = ngettext("%(count)d day", "%(count)d days", far) % {"count": far}
    elif far < DAYS_IN_MONTHS:
        months = round(far / DAYS_PER_MONTH)
        text = ngettext("%(count)d month", "%(count)d months", months) % {"count": months}
    else:
        years = round(far / DAYS_PER_YEAR)
        text = ngettext("%(count)d year", "%(count)d years", years) % {"count": years}
    if days > 0:
        return gettext("in %(time)s") % {"time": text}
    return gettext("%(time)s ago") % {"time": text}


def decimals_worth_showing(hours: float) -> int:
    if hours == round(hours):
        return 0
    for floor, decimals in ((9.995, 1), (0.0995, 2)):
        if abs(hours) >= floor:
            return decimals
    return 3


def _local(value: date | datetime) -> date | datetime:
    if isinstance(value, datetime) and timezone.is_aware(value):
        return timezone.localtime(value)
    return value


def _as_day(value: date | datetime) -> date:
    return value.date() if isinstance(value, datetime) else value

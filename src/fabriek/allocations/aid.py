"""State aid: what free GPU time is worth, and how much more an undertaking may be given.

De minimis aid of one member state to a single undertaking (linked companies together) is at
most 300,000 euro over any three years: Regulation (EU) 2023/2831, article 3(2), which applies
until 31 December 2030. It counts from the day on which the right to it is given (article 3(3)).
Ceiling and tariff are data, given by the caller. Money is in whole euro cents.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from fabriek.kernel.units import SECONDS_PER_HOUR

# "For each new grant of de minimis aid, the total amount of de minimis aid granted in the
# previous three years" counts: recital 11 of the same regulation (not fiscal years any more).
WINDOW_YEARS = 3
_LAST_DAY_OF_FEBRUARY = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Aid:
    """Aid to one undertaking, on the day on which it got the right to it."""

    granted_on: date
    eur_cents: int


def gross_grant_eur_cents(gpu_seconds: int, *, tariff_eur_cents_per_gpu_hour: int) -> int:
    """Value GPU time at the tariff, rounded half up to a cent."""
    doubled = 2 * gpu_seconds * tariff_eur_cents_per_gpu_hour + SECONDS_PER_HOUR
    return doubled // (2 * SECONDS_PER_HOUR)


def counts_from(on: date) -> date:
    """Name the first day whose aid counts for a grant on a day: the same date, years before.

    Both days count, so a grant on 5 January 2024 looks at 5 January 2021 and later. The law
    does not name the edges; this is how the Polish authority reads it (UOKiK, questions and
    answers, February 2024), a Dutch reading was not found, and it errs on the strict side.
    Where the date is missing (29 February) the last day of that month is taken: Regulation
    (EEC, Euratom) No 1182/71, article 3(2)(c).
    """
    year = on.year - WINDOW_YEARS
    try:
        return on.replace(year=year)
    except ValueError:
        return on.replace(year=year, day=_LAST_DAY_OF_FEBRUARY)


def aid_in_window(grants: Iterable[Aid], on: date) -> int:
    """Sum up the euro cents of aid that count on a day; what is granted later does not yet."""
    first = counts_from(on)
    return sum(aid.eur_cents for aid in grants if first <= aid.granted_on <= on)


def headroom_eur_cents(grants: Iterable[Aid], on: date, *, ceiling_eur_cents: int) -> int:
    """Say how much aid may still be granted on a day; never below zero."""
    return max(0, ceiling_eur_cents - aid_in_window(grants, on))

"""State aid: what free GPU time is worth, and how much more an undertaking may be given.

De minimis aid to a single undertaking (linked companies together) is capped over any three
years, on a rolling basis: Regulation (EU) 2023/2831, article 3(2) and recital 10. Ceiling,
tariff and years are data, given by the caller. Money is in whole euro cents.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from fabriek.kernel.units import SECONDS_PER_HOUR

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


def counts_until(granted_on: date, *, years: int = 3) -> date:
    """Name the last day on which aid still counts: the same date, `years` later.

    The day of granting itself is not part of the period, and where the last month lacks the
    date (29 February) its last day is taken: Regulation (EEC, Euratom) No 1182/71, article 3.
    """
    try:
        return granted_on.replace(year=granted_on.year + years)
    except ValueError:
        return granted_on.replace(year=granted_on.year + years, day=_LAST_DAY_OF_FEBRUARY)


def aid_in_window(grants: Iterable[Aid], on: date, *, years: int = 3) -> int:
    """Sum up the euro cents of aid that count on a day; what is granted later does not yet."""
    return sum(
        aid.eur_cents
        for aid in grants
        if aid.granted_on <= on <= counts_until(aid.granted_on, years=years)
    )


def headroom_eur_cents(
    grants: Iterable[Aid], on: date, *, ceiling_eur_cents: int, years: int = 3
) -> int:
    """Say how much aid may still be granted on a day; never below zero."""
    return max(0, ceiling_eur_cents - aid_in_window(grants, on, years=years))

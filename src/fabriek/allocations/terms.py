"""Terms in months, as awards promise them."""

import calendar
from datetime import date, timedelta


def months_later(starts_on: date, months: int) -> date:
    """Name the last day of a term of `months`: 15 January for 3 months ends on 14 April.

    A day that the month lacks becomes its last one.
    """
    count = starts_on.year * 12 + starts_on.month - 1 + months
    year, month = divmod(count, 12)
    day = min(starts_on.day, calendar.monthrange(year, month + 1)[1])
    return date(year, month + 1, day) - timedelta(days=1)

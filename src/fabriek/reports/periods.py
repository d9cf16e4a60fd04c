"""The period that somebody asks a report for."""

from datetime import date

from django.utils import timezone
from django.utils.translation import gettext as _

from fabriek.kernel.errors import Invalid
from fabriek.kernel.periods import Period


def read(first: str, last: str) -> Period:
    """Understand `2026-01-31`; what is left out makes it the twelve months up to today.

    Raises:
        Invalid: one is no day, or the first comes after the last.
    """
    ends = _day(last, "until") or timezone.localdate()
    begins = _day(first, "from") or Period.year_until(ends).first
    if begins > ends:
        raise Invalid(
            _("The first day comes after the last day. Choose an earlier first day."),
            fields={"from": _("Choose an earlier day.")},
        )
    return Period(first=begins, last=ends)


def _day(text: str, field: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    # Outside these years neither the calendar nor a database can reckon on.
    if not date(2000, 1, 1) <= day <= date(2100, 1, 1):
        said = _("“%(text)s” is not a day. Write it as 2026-12-31.") % {"text": text[:40]}
        raise Invalid(said, fields={field: said})
    return day

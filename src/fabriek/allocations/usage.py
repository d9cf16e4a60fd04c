"""GPU time that runs used, month by month, from each share."""

from datetime import date

from django.db.models import Case, DateField, Sum, Value, When

from fabriek.allocations.models import Line
from fabriek.allocations.queries import TOTALS
from fabriek.kernel.periods import Period

SPENT = TOTALS["spent"][0]


def month_of(period: Period) -> Case:
    """Name the month of a ledger line that lies in this period, by its first day."""
    # Bounds that are compared: a database that asks its calendar for the month of each line
    # takes half as long again, and SQLite, which asks Python, thrice as long.
    return Case(
        *(When(at__lte=one.moments[1], then=Value(one.first)) for one in period.months),
        output_field=DateField(),
    )


def spent_by_month(period: Period) -> dict[date, dict[int, int]]:
    """Sum up GPU-seconds by the first day of the month and the share, corrections included.

    What the factory bore itself, since a run used more than its grant, is left out.
    """
    lines = Line.objects.filter(
        kind__in=SPENT, share__isnull=False, at__range=period.moments
    ).order_by()
    rows = lines.annotate(month=month_of(period)).values_list("month", "share")
    found: dict[date, dict[int, int]] = {}
    for month, share, gpu_seconds in rows.annotate(Sum("gpu_seconds")):
        found.setdefault(month, {})[share] = gpu_seconds
    return found

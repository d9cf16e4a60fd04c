"""GPU-hours granted, used and expired, and how the machine's use is shared between funders."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Q
from django.db.models.functions import TruncMonth
from django.utils.translation import gettext_lazy as _

from fabriek.allocations.lines import LineKind
from fabriek.allocations.models import Line, Share
from fabriek.allocations.queries import TOTALS, summed
from fabriek.kernel.units import gpu_hours
from fabriek.reports.figures import Figure, Payer, Period, Section


@dataclass(frozen=True, kw_only=True, slots=True)
class ShareUse:
    """What one share gave in twelve months, beside what was agreed."""

    share: Share
    gpu_seconds: int
    percent: float | None

    @property
    def target(self) -> int:
        return self.share.target_percent

    @property
    def actual_width(self) -> str:
        """Text for the drawing: a template in Dutch would write 12,5."""
        return f"{min(self.percent or 0, 100):.2f}%"

    @property
    def target_width(self) -> str:
        return f"{min(self.target, 100)}%"


@dataclass(frozen=True, kw_only=True, slots=True)
class Month:
    first: date
    gpu_seconds: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Compute:
    section: Section
    shares: tuple[ShareUse, ...]
    months: tuple[Month, ...]
    since: date


def look(payer: Payer, period: Period) -> Compute:
    """Read the ledger once: by month and share, and apart for the period itself."""
    year = Period.year_until(period.last)
    totals: dict[str, int] = defaultdict(int)
    used: dict[date, dict[int, int]] = defaultdict(dict)
    for month, share, in_year, *sums in _rows(period, year):
        if share in payer.own_ids:
            for name, gpu_seconds in zip(TOTALS, sums, strict=True):
                totals[name] += gpu_seconds
        used[month.date()][share] = in_year
    return Compute(
        section=Section(key="compute", title=_("Compute"), figures=_figures(totals)),
        shares=_uses(payer, used),
        months=_months(payer, used, year),
        since=year.first,
    )


def _rows(period: Period, year: Period) -> Iterable[tuple[Any, ...]]:
    at = Q(at__range=period.moments)
    year_at = Q(at__range=year.moments)
    rows = (
        Line.objects.filter(at | year_at, share__isnull=False)
        .exclude(kind__in=[LineKind.HOLD, LineKind.RELEASE])
        .annotate(month=TruncMonth("at"))
        .order_by()
        .values("month", "share")
    )
    sums = {f"{name}_now": summed(name, only=at) for name in TOTALS}
    counted = rows.annotate(**sums, in_year=summed("spent", only=year_at))
    return counted.values_list("month", "share", "in_year", *sums)


def _figures(totals: dict[str, int]) -> tuple[Figure, ...]:
    return (
        Figure(
            key="gpu_hours_granted",
            label=_("Granted"),
            value=gpu_hours(totals["granted"]),
            unit=_("GPU-hours"),
            definition=_("GPU-hours granted from shares of this funder in this period."),
        ),
        Figure(
            key="gpu_hours_used",
            label=_("Used"),
            value=gpu_hours(totals["spent"]),
            unit=_("GPU-hours"),
            definition=_(
                "GPU-hours that runs used in this period, with corrections. What runs used "
                "beyond their grant is paid by the factory and is not counted here."
            ),
        ),
        Figure(
            key="gpu_hours_expired",
            label=_("Ended unused"),
            value=gpu_hours(totals["expired"]),
            unit=_("GPU-hours"),
            definition=_(
                "GPU-hours that ended in this period because they were not used in time, less "
                "what was given back. Below zero means that more was given back than ended."
            ),
        ),
    )


def _uses(payer: Payer, used: dict[date, dict[int, int]]) -> tuple[ShareUse, ...]:
    by_share = {
        share.pk: sum(month.get(share.pk, 0) for month in used.values())
        for share in payer.shares
    }
    whole = sum(by_share.values())
    return tuple(
        ShareUse(
            share=share,
            gpu_seconds=by_share[share.pk],
            percent=100 * by_share[share.pk] / whole if whole else None,
        )
        for share in payer.shares
    )


def _months(payer: Payer, used: dict[date, dict[int, int]], year: Period) -> tuple[Month, ...]:
    firsts = []
    first = year.first.replace(day=1)
    while first <= year.last:
        firsts.append(first)
        first = (first + timedelta(days=32)).replace(day=1)
    return tuple(
        Month(
            first=first,
            gpu_seconds=tuple(used.get(first, {}).get(share.pk, 0) for share in payer.shares),
        )
        for first in firsts
    )

"""GPU-hours granted, used and expired, and how the machine's use is shared between funders."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Q, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from fabriek.allocations.lines import LineKind
from fabriek.allocations.models import Line, Share
from fabriek.allocations.queries import TOTALS
from fabriek.allocations.usage import SPENT, month_of
from fabriek.kernel.periods import Period
from fabriek.kernel.units import gpu_hours
from fabriek.reports import units
from fabriek.reports.figures import Figure, Payer, Section

SHOWN = [kind for kind in LineKind if kind not in {LineKind.HOLD, LineKind.RELEASE}]


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
    """Read the ledger once: by month, share and kind, and apart for the period itself."""
    year = Period.year_until(period.last)
    own = payer.own_ids
    now: dict[str, int] = defaultdict(int)
    used: dict[date, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for month, share, kind, in_period, in_year in _rows(period, year):
        if share in own:
            now[kind] += in_period
        if kind in SPENT:
            used[month][share] += in_year
    return Compute(
        section=Section(key="compute", title=_("Compute"), figures=_figures(now)),
        shares=_uses(payer, used),
        months=_months(payer, used, year),
        since=year.first,
    )


def _rows(period: Period, year: Period) -> Iterable[tuple[Any, ...]]:
    both = Period(first=min(period.first, year.first), last=period.last)
    rows = Line.objects.filter(kind__in=SHOWN, share__isnull=False, at__range=both.moments)
    return (
        rows.annotate(month=month_of(year))
        .order_by()
        .values_list("month", "share", "kind")
        .annotate(in_period=_sum_since(period), in_year=_sum_since(year))
    )


def _sum_since(period: Period) -> Coalesce:
    return Coalesce(Sum("gpu_seconds", filter=Q(at__gte=period.start)), 0)


def _figures(now: dict[str, int]) -> tuple[Figure, ...]:
    return (
        Figure(
            key="gpu_hours_granted",
            label=_("Granted"),
            value=gpu_hours(_total("granted", now)),
            unit=units.GPU_HOURS,
            definition=_("GPU-hours granted from shares of this funder in this period."),
        ),
        Figure(
            key="gpu_hours_used",
            label=_("Used"),
            value=gpu_hours(_total("spent", now)),
            unit=units.GPU_HOURS,
            definition=_(
                "GPU-hours that runs used in this period, with corrections. What runs used "
                "beyond their grant is paid by the factory and is not counted here."
            ),
        ),
        Figure(
            key="gpu_hours_expired",
            label=_("Ended unused"),
            value=gpu_hours(_total("expired", now)),
            unit=units.GPU_HOURS,
            definition=_(
                "GPU-hours that ended in this period because they were not used in time, less "
                "what was given back. Below zero means that more was given back than ended."
            ),
        ),
    )


def _total(name: str, by_kind: dict[str, int]) -> int:
    plus, minus = TOTALS[name]
    return sum(by_kind[kind] for kind in plus) - sum(by_kind[kind] for kind in minus)


def _uses(payer: Payer, used: dict[date, dict[int, int]]) -> tuple[ShareUse, ...]:
    by_share = {
        share.pk: sum(month[share.pk] for month in used.values()) for share in payer.shares
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
    return tuple(
        Month(
            first=month.first,
            gpu_seconds=tuple(used[month.first][share.pk] for share in payer.shares),
        )
        for month in year.months
    )

"""What part of the GPU-hours each share gave in twelve months, beside what was agreed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.core.cache import cache
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from fabriek.allocations.models import Share
from fabriek.allocations.usage import spent_by_month
from fabriek.kernel import words
from fabriek.kernel.charts import LineChart, Series, line_chart
from fabriek.kernel.periods import Period

MONTHS = 12
PERCENT = (0, 100)
# To add up 200,000 lines of a ledger takes a tenth of a second, and a year moves slowly.
KEPT_S = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class ShareYear:
    """What part of the GPU-hours of twelve months a share gave; None: nobody used any."""

    share: Share
    percent: float | None
    by_month: tuple[float | None, ...]

    @property
    def target(self) -> int:
        return self.share.target_percent


def of_the_year() -> tuple[Period, list[ShareYear]]:
    """Give for each share what part of the used GPU-hours it gave, by month and in all."""
    today = timezone.localdate()
    month = 12 * today.year + today.month - MONTHS
    year = Period(first=date(month // 12, month % 12 + 1, 1), last=today)
    spent = cache.get_or_set(
        f"machine-spent-{year.first}-{year.last}", lambda: spent_by_month(year), KEPT_S
    )
    months = [(spent or {}).get(month.first, {}) for month in year.months]
    whole = sum(sum(month.values()) for month in months)
    return year, [
        ShareYear(
            share=share,
            percent=_percent(sum(month.get(share.pk, 0) for month in months), whole),
            by_month=tuple(
                _percent(month.get(share.pk, 0), sum(month.values())) for month in months
            ),
        )
        for share in Share.objects.all()
    ]


def charts(months: Sequence[str], shares: Sequence[ShareYear]) -> list[LineChart]:
    """Draw one chart a share: what it gave of each month, and what was agreed, dashed."""
    return [
        line_chart(
            [
                Series(name=_("used"), points=_points(one.by_month), write=_said),
                Series(
                    name=_("agreed"),
                    points=[(place, float(one.target)) for place in range(len(months))],
                    write=_said,
                ),
            ],
            x_label=_("month"),
            y_label=_("% of the GPU-hours"),
            title=sentence(one),
            x_names=months,
            y_shows=PERCENT,
        )
        for one in shares
    ]


def sentence(one: ShareYear) -> str:
    said = {"share": one.share, "target": _said(one.target)}
    if one.percent is None:
        return _("%(share)s: nothing was used yet, %(target)s is agreed") % said
    said["percent"] = _said(one.percent)
    return _("%(share)s: %(percent)s of the GPU-hours, %(target)s is agreed") % said


def month_names(year: Period) -> list[str]:
    return [date_format(month.first, "M") for month in year.months]


def _points(by_month: Sequence[float | None]) -> list[tuple[float, float]]:
    return [(place, part) for place, part in enumerate(by_month) if part is not None]


def _said(value: float) -> str:
    return f"{words.number(value)}{words.percent_sign()}"


def _percent(part: int, whole: int) -> float | None:
    """Give a part of what is more than nothing; corrections may make a month less.

    Rounded: more decimals would tell how much single cases used.
    """
    return round(min(max(100 * part / whole, 0.0), 100.0), 1) if whole > 0 else None

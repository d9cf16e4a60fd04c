"""How access went: applications, awards, and how long each part took against the promise."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from statistics import median
from typing import NamedTuple

from django.db.models import F, OuterRef, Q, Subquery
from django.utils.translation import gettext_lazy as _

from fabriek.access.models import Application
from fabriek.kernel import workdays
from fabriek.kernel.errors import Text
from fabriek.kernel.periods import Period
from fabriek.reports import units
from fabriek.reports.figures import Figure, Payer, Section
from fabriek.runs.models import Run


class _Way(NamedTuple):
    """The moments of one application; empty is "not yet"."""

    submitted_at: datetime
    decided_at: datetime | None
    is_award: bool | None
    is_in_time: bool | None
    opened_at: datetime | None
    first_run_at: datetime | None


def section(payer: Payer, period: Period) -> Section:
    ways = _ways(payer, period)
    first, last = period.moments
    submitted = [way for way in ways if first <= way.submitted_at <= last]
    decided = [way for way in ways if way.decided_at and first <= way.decided_at <= last]
    return Section(
        key="access",
        title=_("Access"),
        figures=(*_counts(submitted, decided), *_times(decided)),
    )


def _ways(payer: Payer, period: Period) -> list[_Way]:
    """Give the applications submitted or decided in the period, with one query.

    Money from another share may be granted later; what an applicant asks is a mode, so that
    decides which funder an application is counted for.
    """
    codes = [share.code for share in payer.own]
    when = period.moments
    in_period = Q(submitted_at__range=when) | Q(decision__decided_at__range=when)
    runs = Run.objects.filter(
        allocation=OuterRef("decision__allocation"), started_at__isnull=False
    )
    rows = Application.objects.filter(
        in_period, mode__definition__share__in=codes, submitted_at__isnull=False
    ).annotate(
        is_in_time=Q(decision__decided_at__lte=F("due_at")),
        first_run_at=Subquery(runs.order_by("started_at").values("started_at")[:1]),
    )
    columns = rows.values_list(
        "submitted_at",
        "decision__decided_at",
        "decision__is_award",
        "is_in_time",
        "decision__allocation__opened_at",
        "first_run_at",
    )
    return [_Way._make(row) for row in columns]


def _counts(submitted: Sequence[_Way], decided: Sequence[_Way]) -> tuple[Figure, ...]:
    awards = sum(bool(way.is_award) for way in decided)
    return (
        Figure(
            key="applications_submitted",
            label=_("Applications"),
            value=len(submitted),
            unit=units.APPLICATIONS,
            definition=_(
                "Applications submitted in this period through an access mode that a share of "
                "this funder pays for."
            ),
        ),
        Figure(
            key="applications_decided",
            label=_("Decisions"),
            value=len(decided),
            unit=units.APPLICATIONS,
            definition=_("Those of them, or of earlier, that were decided in this period."),
        ),
        Figure(
            key="awards",
            label=_("Awards"),
            value=awards,
            unit=units.APPLICATIONS,
            definition=_("Decisions in this period that award GPU-hours."),
        ),
        Figure(
            key="success_rate",
            label=_("Success rate"),
            value=100 * awards / len(decided) if decided else None,
            unit=units.PERCENT,
            definition=_("Awards as a part of all decisions in this period."),
        ),
    )


def _times(decided: Sequence[_Way]) -> tuple[Figure, ...]:
    kept = [way.is_in_time for way in decided if way.is_in_time is not None]
    to_decision = [(way.submitted_at, way.decided_at) for way in decided]
    to_opening = [(way.decided_at, way.opened_at) for way in decided]
    to_first_run = [(way.opened_at, way.first_run_at) for way in decided]
    return (
        _median(
            "workdays_to_decision",
            _("From submission to decision"),
            _("Median number of working days, over the decisions in this period."),
            to_decision,
        ),
        _median(
            "workdays_to_opening",
            _("From decision to GPU-hours"),
            _("Median number of working days until the GPU-hours were opened."),
            to_opening,
        ),
        _median(
            "workdays_to_first_run",
            _("From GPU-hours to the first run"),
            _("Median number of working days until the first run started."),
            to_first_run,
        ),
        Figure(
            key="promises_kept",
            label=_("Promises kept"),
            value=100 * sum(kept) / len(kept) if kept else None,
            unit=units.PERCENT,
            definition=_(
                "Decisions in this period that came before the moment that was promised."
            ),
        ),
    )


def _median(
    key: str,
    label: Text,
    definition: Text,
    pairs: Iterable[tuple[datetime | None, datetime | None]],
) -> Figure:
    days = [workdays.workdays_between(start, end) for start, end in pairs if start and end]
    value = float(median(days)) if days else None
    return Figure(
        key=key, label=label, value=value, unit=units.WORKING_DAYS, definition=definition
    )

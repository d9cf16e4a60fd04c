"""How access went: applications, awards, and how long each part took against the promise."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from django.db.models import Min, Q
from django.utils.translation import gettext_lazy as _

from fabriek.access.models import Application
from fabriek.kernel import workdays
from fabriek.kernel.errors import Text
from fabriek.reports.figures import Figure, Payer, Period, Section


@dataclass(frozen=True, kw_only=True, slots=True)
class _Way:
    """The moments of one application; empty is "not yet"."""

    submitted_at: datetime
    due_at: datetime | None
    decided_at: datetime | None
    is_award: bool | None
    opened_at: datetime | None
    first_run_at: datetime | None


def section(payer: Payer, period: Period) -> Section:
    ways = list(_ways(payer, period))
    submitted = [way for way in ways if period.start <= way.submitted_at < period.end]
    decided = [
        way for way in ways if way.decided_at and period.start <= way.decided_at < period.end
    ]
    return Section(
        key="access",
        title=_("Access"),
        figures=(*_counts(submitted, decided), *_times(decided)),
    )


def _ways(payer: Payer, period: Period) -> Iterable[_Way]:
    """Give the applications submitted or decided in the period, with one query.

    Money from another share may be granted later; what an applicant asks is a mode, so that
    decides which funder an application is counted for.
    """
    codes = [share.code for share in payer.own]
    rows = (
        Application.objects.filter(
            Q(submitted_at__range=period.moments)
            | Q(decision__decided_at__range=period.moments),
            mode__definition__share__in=codes,
        )
        .annotate(first_run_at=Min("decision__allocation__runs__started_at"))
        .values_list(
            "submitted_at",
            "due_at",
            "decision__decided_at",
            "decision__is_award",
            "decision__allocation__opened_at",
            "first_run_at",
        )
    )
    for submitted, due, decided, is_award, opened, first_run in rows.iterator():
        if submitted is None:
            continue
        yield _Way(
            submitted_at=submitted,
            due_at=due,
            decided_at=decided,
            is_award=is_award,
            opened_at=opened,
            first_run_at=first_run,
        )


def _counts(submitted: Sequence[_Way], decided: Sequence[_Way]) -> tuple[Figure, ...]:
    awards = sum(bool(way.is_award) for way in decided)
    return (
        Figure(
            key="applications_submitted",
            label=_("Applications"),
            value=len(submitted),
            unit=_("applications"),
            definition=_(
                "Applications submitted in this period through an access mode that a share of "
                "this funder pays for."
            ),
        ),
        Figure(
            key="applications_decided",
            label=_("Decisions"),
            value=len(decided),
            unit=_("applications"),
            definition=_("Those of them, or of earlier, that were decided in this period."),
        ),
        Figure(
            key="awards",
            label=_("Awards"),
            value=awards,
            unit=_("applications"),
            definition=_("Decisions in this period that award GPU-hours."),
        ),
        Figure(
            key="success_rate",
            label=_("Success rate"),
            value=100 * awards / len(decided) if decided else None,
            unit="%",
            definition=_("Awards as a part of all decisions in this period."),
        ),
    )


def _times(decided: Sequence[_Way]) -> tuple[Figure, ...]:
    kept = [way.decided_at <= way.due_at for way in decided if way.decided_at and way.due_at]
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
            unit="%",
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
        key=key, label=label, value=value, unit=_("working days"), definition=definition
    )

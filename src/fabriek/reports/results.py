"""What came out: data brought, runs done and models made with this funder's GPU-hours."""

from typing import Any

from django.db.models import F, Func, IntegerField, QuerySet, Subquery
from django.utils.translation import gettext_lazy as _

from fabriek.allocations.models import Funder
from fabriek.cases.models import Case
from fabriek.datasets.models import Dataset
from fabriek.registry.models import Model
from fabriek.reports.figures import Figure, Payer, Period, Section
from fabriek.runs.models import Run
from fabriek.runs.states import RunState


def section(payer: Payer, period: Period) -> Section:
    """Count everything with one query."""
    cases = Case.objects.filter(allocations__grants__share__in=payer.own_ids).values("pk")
    when = period.moments
    runs = Run.objects.filter(ended_at__range=when, allocation__grants__share__in=payer.own_ids)
    models = Model.objects.filter(case__in=cases, registered_at__range=when)
    counts: tuple[int, ...] = (
        Funder.objects.filter(pk=payer.funder.pk)
        .values_list(
            _count(Dataset.objects.filter(case__in=cases, created_at__range=when)),
            _count(runs),
            _count(runs.filter(state=RunState.SUCCEEDED)),
            _count(models),
            _count(models.filter(revision__repository__is_open=True)),
        )
        .get()
    )
    return Section(key="results", title=_("Data, runs and models"), figures=_figures(counts))


def _count(rows: "QuerySet[Any]") -> Subquery:
    # A plain COUNT without grouping: Django's own Count would group by each row.
    counted = Func(F("pk"), function="COUNT", template="%(function)s(DISTINCT %(expressions)s)")
    return Subquery(
        rows.order_by().annotate(n=counted).values("n"), output_field=IntegerField()
    )


def _figures(counts: tuple[int, ...]) -> tuple[Figure, ...]:
    datasets, runs, succeeded, models, is_open = counts
    return (
        Figure(
            key="datasets",
            label=_("Datasets"),
            value=datasets,
            unit=_("datasets"),
            definition=_(
                "Datasets made in this period, in cases with GPU-hours of this funder."
            ),
        ),
        Figure(
            key="runs_ended",
            label=_("Runs"),
            value=runs,
            unit=_("runs"),
            definition=_("Runs that ended in this period, on GPU-hours of this funder."),
        ),
        Figure(
            key="runs_succeeded",
            label=_("Runs that succeeded"),
            value=succeeded,
            unit=_("runs"),
            definition=_("Those of them that came to a good end."),
        ),
        Figure(
            key="models",
            label=_("Models"),
            value=models,
            unit=_("models"),
            definition=_(
                "Models registered in this period, in cases with GPU-hours of this funder."
            ),
        ),
        Figure(
            key="models_open",
            label=_("Open models"),
            value=is_open,
            unit=_("models"),
            definition=_("Those of them that everybody may use."),
        ),
    )

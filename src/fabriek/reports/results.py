"""What came out: data brought, runs done and models made with this funder's GPU-hours."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from django.db.models import Count, Q, QuerySet, Value
from django.utils.translation import gettext_lazy as _

from fabriek.allocations.models import Grant
from fabriek.datasets.models import Dataset
from fabriek.kernel.periods import Period
from fabriek.registry.models import Model
from fabriek.reports import units
from fabriek.reports.figures import Figure, Payer, Section
from fabriek.runs.models import Run
from fabriek.runs.states import RunState

Counts = tuple[int | None, int | None]


def section(payer: Payer, period: Period) -> Section:
    """Count everything with one query."""
    grants = Grant.objects.filter(share__in=payer.own_ids)
    cases, when = grants.values("allocation__case"), period.moments
    datasets = Dataset.objects.filter(case__in=cases, created_at__range=when)
    runs = Run.objects.filter(allocation__in=grants.values("allocation"), ended_at__range=when)
    models = Model.objects.filter(case__in=cases, registered_at__range=when)
    rows = _counted("datasets", datasets).union(
        _counted("runs", runs, also=Q(state=RunState.SUCCEEDED)),
        _counted("models", models, also=Q(revision__repository__is_open=True)),
        all=True,
    )
    # A funder without shares has nothing to count; the database is then not asked.
    counts: dict[str, Counts] = defaultdict(lambda: (None, None))
    counts.update((name, (number, also)) for name, number, also in rows)
    return Section(key="results", title=_("Data, runs and models"), figures=_figures(counts))


def _counted(
    name: str, rows: "QuerySet[Any]", *, also: Q | None = None
) -> "QuerySet[Any, Any]":
    """Count the rows, and those of them that are this `also`, in one walk."""
    # Rows, not their keys: an index that holds no keys can then answer alone.
    counts = {"number": Count(Value(1)), "also": Count(Value(1), filter=also)}
    named = rows.order_by().values(name=Value(name))
    counted: QuerySet[Any, Any] = named.annotate(**counts).values_list("name", *counts)
    return counted


def _figures(counts: Mapping[str, Counts]) -> tuple[Figure, ...]:
    datasets, _same = counts["datasets"]
    runs, succeeded = counts["runs"]
    models, is_open = counts["models"]
    return (
        Figure(
            key="datasets",
            label=_("Datasets"),
            value=datasets,
            unit=units.DATASETS,
            definition=_(
                "Datasets made in this period, in cases with GPU-hours of this funder."
            ),
        ),
        Figure(
            key="runs_ended",
            label=_("Runs"),
            value=runs,
            unit=units.RUNS,
            definition=_("Runs that ended in this period, on GPU-hours of this funder."),
        ),
        Figure(
            key="runs_succeeded",
            label=_("Runs that succeeded"),
            value=succeeded,
            unit=units.RUNS,
            definition=_("Those of them that came to a good end."),
        ),
        Figure(
            key="models",
            label=_("Models"),
            value=models,
            unit=units.MODELS,
            definition=_(
                "Models registered in this period, in cases with GPU-hours of this funder."
            ),
        ),
        Figure(
            key="models_open",
            label=_("Open models"),
            value=is_open,
            unit=units.MODELS,
            definition=_("Those of them that everybody may use."),
        ),
    )

"""Put a report together from its parts, with the same few queries at any size."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _

from fabriek.allocations.lines import LineKind
from fabriek.allocations.models import Funder, Line, Share
from fabriek.allocations.queries import summed
from fabriek.kernel.periods import Period
from fabriek.people.models import Duty, Person
from fabriek.reports import aid, awards, compute, reach, results, units
from fabriek.reports.aid import Undertaking
from fabriek.reports.compute import Compute
from fabriek.reports.figures import Figure, Payer, Section

ROWS_AT_ONCE = 1000
COLUMNS = (
    "account",
    "case",
    "case_title",
    "organisation",
    "kind",
    "region",
    "sector",
    "mode",
    "share",
    "gpu_seconds_granted",
    "gpu_seconds_spent",
    "gpu_seconds_expired",
)
NAMING = 4  # the first columns: they name somebody, so a confidential case leaves them empty


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    payer: Payer
    period: Period
    sections: tuple[Section, ...]
    compute: Compute
    undertakings: list[Undertaking]

    @property
    def figures(self) -> list[Figure]:
        """Every number of the report in one list, those of splits and shares included."""
        plain = [figure for section in self.sections for figure in section.figures]
        return [*plain, *_split_figures(self.sections), *_share_figures(self.compute)]


def funders_for(person: Person) -> QuerySet[Funder]:
    """List the funders whose report this person may read."""
    if person.is_factory_staff:
        return Funder.objects.all()
    return Funder.objects.filter(code=person.duties.get(Duty.Kind.FUNDER, ""))


def report(payer: Payer, period: Period) -> Report:
    found = compute.look(payer, period)
    return Report(
        payer=payer,
        period=period,
        sections=(
            reach.section(payer, period),
            awards.section(payer, period),
            found.section,
            results.section(payer, period),
        ),
        compute=found,
        undertakings=aid.undertakings(payer, period),
    )


def payer(code: str) -> Payer:
    """Find a funder with all shares, in one query; one without shares costs another.

    Raises:
        Http404: there is no such funder.
    """
    shares = list(Share.objects.select_related("funder"))
    funder = next((share.funder for share in shares if share.funder.code == code), None)
    return Payer(funder=funder or get_object_or_404(Funder, code=code), shares=shares)


def allocation_rows(payer: Payer, period: Period) -> Iterator[tuple[Any, ...]]:
    """Give the rows behind the GPU-hours: their sums are the figures of the report."""
    case = "allocation__case"
    rows = (
        Line.objects.filter(at__range=period.moments, share__in=payer.own_ids)
        .exclude(kind__in=[LineKind.HOLD, LineKind.RELEASE])
        .order_by("allocation__account", "share__code")
        .values_list(
            f"{case}__is_confidential",
            "allocation__account",
            f"{case}__code",
            f"{case}__title",
            f"{case}__organisation__name",
            f"{case}__organisation__kind",
            f"{case}__organisation__region",
            f"{case}__sector__code",
            "allocation__decision__application__mode__code",
            "share__code",
        )
        .annotate(granted=summed("granted"), spent=summed("spent"), expired=summed("expired"))
    )
    for is_confidential, *cells in rows.iterator(chunk_size=ROWS_AT_ONCE):
        names = ["confidential"] * NAMING if is_confidential else cells[:NAMING]
        yield (*names, *cells[NAMING:])


def _split_figures(sections: tuple[Section, ...]) -> Iterator[Figure]:
    for section in sections:
        for split in section.splits:
            for row in split.rows:
                key = f"{split.key}:{row.code or 'unknown'}"
                for name, count in (
                    ("in_contact", row.in_contact),
                    ("supported", row.supported),
                ):
                    yield Figure(
                        key=f"organisations_{name}:{key}",
                        label=row.label,
                        value=count,
                        unit=units.ORGANISATIONS,
                        definition=split.definition,
                    )


def _share_figures(found: Compute) -> Iterator[Figure]:
    for use in found.shares:
        for name, value in (("actual", use.percent), ("target", float(use.target))):
            yield Figure(
                key=f"share_{name}:{use.share.code}",
                label=str(use.share),
                value=value,
                unit=units.PERCENT,
                definition=ACTUAL if name == "actual" else TARGET,
            )


ACTUAL = _("Part of all GPU-hours that runs used in the twelve months up to the last day.")
TARGET = _("Part of the machine that was agreed with the funder.")

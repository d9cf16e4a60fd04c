"""Whom the factory reaches: organisations in contact, and those that got GPU-hours."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from fabriek.allocations.models import Grant
from fabriek.cases.models import Case
from fabriek.kernel.errors import Text
from fabriek.kernel.periods import Period
from fabriek.people.models import Organisation
from fabriek.people.size_class import SizeClass, size_class
from fabriek.people.size_words import LABELS, NO_ENTERPRISE
from fabriek.reports import units
from fabriek.reports.figures import Figure, Payer, Section, Split, SplitRow

COLUMNS = ("pk", "kind", "region", "staff_count", "turnover_eur", "balance_eur")
NO_SIZE = "none"
SIZES: dict[str, Text] = {size.value: LABELS[size] for size in SizeClass} | {
    NO_SIZE: _("no company")
}


@dataclass(slots=True)
class _Seen:
    """One organisation with the sectors of its cases; a draft is nobody's business yet."""

    kind: str
    region: str
    size: str
    supported: bool
    sectors: set[str] = field(default_factory=set)
    supported_sectors: set[str] = field(default_factory=set)


def section(payer: Payer, period: Period) -> Section:
    """Count organisations with one query, whatever their number."""
    seen: dict[int, _Seen] = {}
    for pk, kind, region, *figures, supported, sector, is_proposed, gets in _rows(
        payer, period
    ):
        if pk not in seen:
            seen[pk] = _Seen(kind, region, _size(kind, *figures), supported)
        if is_proposed:
            seen[pk].sectors.add(sector)
        if gets:
            seen[pk].supported_sectors.add(sector)
    found = seen.values()
    return Section(
        key="reach", title=_("Reach"), figures=_figures(found), splits=_splits(found)
    )


def _rows(payer: Payer, period: Period) -> Iterable[tuple[Any, ...]]:
    """Give a row for each organisation that counts, and for each kind of case that it has."""
    # Lists of numbers, not a question for each row: 3,600 organisations took 3 s that way.
    grants = Grant.objects.filter(share__in=payer.own_ids, granted_at__range=period.moments)
    proposed = Case.objects.filter(proposed_at__range=period.moments)
    in_contact = (
        Q(registered_at__range=period.moments)
        | Q(pk__in=proposed.values("organisation"))
        | Q(is_supported=True)
    )
    sector = "cases__sector__name_nl" if get_language() == "nl" else "cases__sector__name_en"
    return (
        Organisation.objects.annotate(
            is_supported=Q(pk__in=grants.values("allocation__case__organisation")),
            is_proposed=Q(cases__proposed_at__isnull=False),
            gets=Q(cases__in=grants.values("allocation__case")),
        )
        .filter(in_contact)
        .order_by()
        .values_list(*COLUMNS, "is_supported", sector, "is_proposed", "gets")
        .distinct()
    )


def _figures(found: Collection[_Seen]) -> tuple[Figure, ...]:
    return (
        Figure(
            key="organisations_in_contact",
            label=_("Organisations in contact"),
            value=len(found),
            unit=units.ORGANISATIONS,
            definition=_(
                "Organisations of the whole factory that registered, proposed a case or got "
                "GPU-hours in this period."
            ),
        ),
        Figure(
            key="organisations_supported",
            label=_("Organisations supported"),
            value=sum(one.supported for one in found),
            unit=units.ORGANISATIONS,
            definition=_(
                "Organisations that were granted GPU-hours from a share of this funder in this "
                "period."
            ),
        ),
    )


def _splits(found: Collection[_Seen]) -> tuple[Split, ...]:
    kinds = {str(value): label for value, label in Organisation.Kind.choices}
    return (
        Split(
            key="kind",
            title=_("By kind of organisation"),
            definition=_("The kind is what the organisation said of itself."),
            rows=_rows_of(found, lambda one: one.kind, kinds),
        ),
        Split(
            key="size",
            title=_("By size"),
            definition=_(
                "Sizes of Recommendation 2003/361/EC, computed from staff, turnover and "
                "balance sheet. Public bodies and knowledge institutes have no size."
            ),
            rows=_rows_of(found, lambda one: one.size, SIZES),
        ),
        Split(
            key="region",
            title=_("By province or region"),
            definition=_("The region is what the organisation wrote."),
            rows=_rows_of(found, lambda one: one.region, {"": _("not filled in")}),
        ),
        Split(
            key="sector",
            title=_("By sector"),
            definition=_(
                "The sectors of their cases; an organisation with cases in two sectors counts "
                "in both, one without a case in none."
            ),
            rows=_counted(
                Counter(sector for one in found for sector in one.sectors),
                Counter(sector for one in found for sector in one.supported_sectors),
                {},
            ),
        ),
    )


def _rows_of(
    found: Collection[_Seen], word: Callable[[_Seen], str], labels: Mapping[str, Text]
) -> tuple[SplitRow, ...]:
    supported = Counter(word(one) for one in found if one.supported)
    return _counted(Counter(map(word, found)), supported, labels)


def _counted(
    in_contact: Counter[str], supported: Counter[str], labels: Mapping[str, Text]
) -> tuple[SplitRow, ...]:
    return tuple(
        SplitRow(
            code=code, label=labels.get(code, code), in_contact=count, supported=supported[code]
        )
        for code, count in sorted(in_contact.items(), key=lambda item: (-item[1], item[0]))
    )


def _size(kind: str, staff: int | None, turnover: int | None, balance: int | None) -> str:
    if kind in NO_ENTERPRISE:
        return NO_SIZE
    return size_class(staff=staff, turnover_eur=turnover, balance_eur=balance).size

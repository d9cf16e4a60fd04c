"""Records as people find them: by words, by filters, and one at a time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from django.db.models import Case, IntegerField, Max, Q, QuerySet, Sum, Value, When
from django.db.models.expressions import F

from fabriek.catalogue import rules, stems
from fabriek.catalogue.model_records import ModelStem
from fabriek.catalogue.models import Record, Stem
from fabriek.catalogue.vocabulary import Access, Language, Theme
from fabriek.datasets.models import Dataset, Licence
from fabriek.kernel import text
from fabriek.kernel.paging import MOST_DIGITS
from fabriek.people.models import Organisation, Person
from fabriek.store.models import Repository

MOST_WORDS = 6
# A word that begins with what was asked counts less than that word itself: `zorg` finds
# `zorgkosten` too, as Dutch writes its compounds in one.
EXACT, BEGINS = 4, 1
SHORTEST_BEGINNING = 4
LAST_LETTER = "z" * 40
PATHS = "dataset__repository__organisation", "dataset__case__organisation"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What somebody looks for; empty is everything. `kind`: datasets or models only."""

    q: str = ""
    kind: str = ""
    theme: str = ""
    licence: str = ""
    access: str = ""
    language: str = ""
    personal: str = ""
    owner: str = ""
    open: str = ""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Asked":
        """Read an address: what it does not know stays empty."""
        names = [each.name for each in fields(cls)]
        return cls(**{name: text.sought(given.get(name, "")) for name in names})

    @property
    def owner_id(self) -> int | None:
        is_number = self.owner.isascii() and self.owner.isdigit()
        return int(self.owner) if is_number and len(self.owner) <= MOST_DIGITS else None

    @property
    def is_empty(self) -> bool:
        return not any(getattr(self, each.name) for each in fields(self))


def search(person: Person | None, asked: Asked) -> QuerySet[Any, int]:
    """Find the ids of records, the best first; without words the newest change first.

    `on_page` brings along what a page shows of them.
    """
    repositories = Repository.objects.filter(rules.found_by(person))
    rows = Record.objects.filter(dataset__repository__in=repositories.values("pk"))
    return ordered(Stem, rows.filter(_narrowed(asked)), asked)


def ordered(
    table: type[Stem] | type[ModelStem], rows: QuerySet[Any], asked: Asked
) -> QuerySet[Any, int]:
    """Give the ids of those that have all words that were typed, the best first."""
    typed = stems.words(asked.q)[:MOST_WORDS]
    if asked.q.strip() and not typed:
        return rows.none().values_list("pk", flat=True)
    if typed:
        return _ranked(table, rows, list(dict.fromkeys(typed)))
    return rows.order_by("-changed_at", "-pk").values_list("pk", flat=True)


def on_page(ids: Iterable[int]) -> list[Record]:
    """Bring along what a page shows of these, in their order; one query."""
    order = list(ids)
    found = Record.objects.select_related(*PATHS).in_bulk(order)
    return [found[pk] for pk in order if pk in found]


def _narrowed(asked: Asked) -> Q:
    found = Q()
    if asked.theme in Theme.values:
        found &= Q(theme=asked.theme)
    if asked.access in Access.values:
        found &= Q(access=asked.access)
    if asked.licence in Licence.values:
        found &= Q(dataset__licence=asked.licence)
    if asked.personal in {"yes", "no"}:
        found &= Q(dataset__has_personal_data=asked.personal == "yes")
    if asked.open in {"yes", "no"}:
        found &= Q(dataset__repository__is_open=asked.open == "yes")
    if asked.owner_id is not None:
        found &= Q(dataset__repository__organisation=asked.owner_id)
    if asked.language in Language.values:
        # Not `contains` of JSON, which SQLite has not: a code stands in quotes, once.
        found &= Q(languages__icontains=f'"{asked.language}"')
    return found


def _ranked(
    table: type[Stem] | type[ModelStem], rows: QuerySet[Any], typed: list[str]
) -> QuerySet[Any, int]:
    """Keep records that have every word, with how well they fit.

    One pass over the index of stems: grouped by record, with a mark for each word.
    """
    asked = [_found_by(word) for word in typed]
    any_of = Q()
    for exact, begins in asked:
        any_of |= exact | begins
    marks = {
        f"has_{number}": Max(_one_if(exact | begins))
        for number, (exact, begins) in enumerate(asked)
    }
    exactly = Q()
    for exact, _begins in asked:
        exactly |= exact
    weight = Case(
        When(exactly, then=F("weight") * Value(EXACT)),
        default=F("weight") * Value(BEGINS),
        output_field=IntegerField(),
    )
    # Found among the stems alone, whose index has all of it; the records are only asked whether
    # this reader may find them.
    found = table.objects.filter(any_of, record__in=rows.values("pk")).values("record")
    found = found.annotate(rank=Sum(weight), **marks).filter(**dict.fromkeys(marks, 1))
    return found.order_by("-rank", "-record").values_list("record", flat=True)


def _found_by(word: str) -> tuple[Q, Q]:
    stemmed = stems.stems(word)
    begins = Q()
    if len(word) >= SHORTEST_BEGINNING:
        shortest = min(stemmed, key=len)
        # A range, which an index answers in any database and order of letters.
        begins = Q(word__gte=shortest, word__lte=shortest + LAST_LETTER)
    return Q(word__in=sorted(stemmed)), begins


def _one_if(condition: Q) -> Case:
    return Case(When(condition, then=1), default=0, output_field=IntegerField())


def shown(person: Person | None) -> QuerySet[Record]:
    """Give the records that this reader may find, with what a page of one shows."""
    repositories = Repository.objects.filter(rules.found_by(person))
    rows = Record.objects.filter(dataset__repository__in=repositories.values("pk"))
    return rows.select_related(*PATHS)


def harvested() -> QuerySet[Record]:
    """Give what others may take over, in an order that stays from page to page."""
    everybody = Repository.Listed.EVERYBODY
    rows = Record.objects.filter(dataset__repository__listed_for=everybody)
    return rows.select_related(*PATHS).order_by("pk")


def owners(person: Person | None) -> QuerySet[Organisation]:
    """Give the organisations to choose among: those that own something found."""
    repositories = Repository.objects.filter(
        (rules.found_by(person) & Q(kind=Repository.Kind.DATASET))
        | Q(kind=Repository.Kind.MODEL, is_open=True)
    )
    return Organisation.objects.filter(pk__in=repositories.values("organisation")).order_by(
        "name"
    )[:200]


def record_of(dataset: Dataset) -> Record:
    """Give the record of a dataset, or an empty one that is not saved yet."""
    found = Record.objects.select_related(*PATHS).filter(dataset=dataset).first()
    return found or Record(dataset=dataset)


def unrecorded() -> QuerySet[Dataset]:
    """Give the datasets of which there is no record yet."""
    return Dataset.objects.filter(record__isnull=True)


def without_record(person: Person | None) -> QuerySet[Dataset]:
    """Give those that this reader may find."""
    repositories = Repository.objects.filter(rules.found_by(person))
    rows = unrecorded().filter(repository__in=repositories.values("pk"))
    return rows.select_related("repository__organisation", "case__organisation")

"""Datasets as lists and pages show them: with the number and size of their newest revision."""

from functools import cache

from django.db.models import Case as CaseOf
from django.db.models import OuterRef, Q, QuerySet, Subquery, Value, When

from fabriek.cases.models import Case, cases_of
from fabriek.cases.states import CaseState
from fabriek.datasets.models import Dataset
from fabriek.kernel import text
from fabriek.people.models import Person
from fabriek.store.models import MAIN, Revision

# What a page shows of each in a list, beside its newest revision.
SHOWN = ("code", "title", "created_at", "case__organisation__name")


def shown(person: Person) -> QuerySet[Dataset]:
    """Give what this person may see, each with `revision`, `file_count` and `size_bytes`.

    Also what is of others: before anything of its files is told, ask `rules.require_read`.
    """
    return _told(Dataset.objects.seen_by(person))


def _told(rows: QuerySet[Dataset]) -> QuerySet[Dataset]:
    rows = rows.select_related(
        "case__organisation", "repository__case", "repository__organisation"
    )
    return rows.annotate(
        revision=_of_newest("number"),
        file_count=_of_newest("file_count"),
        size_bytes=_of_newest("size_bytes"),
    )


# Kept: the same for everybody, and putting a query together takes Django long.
@cache
def _of_newest(column: str) -> Subquery:
    revisions = Revision.objects.filter(repository=OuterRef("repository"), branch=MAIN)
    return Subquery(revisions.order_by("-number").values(column)[:1])


def search(person: Person, words: str = "") -> QuerySet[Dataset]:
    """Find by code, title, text or case, newest first: one's own, and what others let one use.

    All that is only listed stands in the catalogue. What a case of others is called is not told
    (`case_title` is empty), nor looked through.
    """
    rows = (
        _told(Dataset.objects.shared_with(person))
        .select_related(None)
        .select_related("case__organisation")
        .only(*SHOWN)
    )
    own = Q(case__in=cases_of(person))
    rows = rows.annotate(case_title=CaseOf(When(own, then="case__title"), default=Value("")))
    rows = rows.order_by("-created_at", "-pk")
    for word in text.sought(words).split()[:5]:
        rows = rows.filter(
            Q(code__iexact=word)
            | Q(title__icontains=word)
            | Q(description__icontains=word)
            | Q(case__code__iexact=word)
            | (Q(case__title__icontains=word) & own)
        )
    return rows


def lines_of(revision: Revision) -> str:
    """Write the listing of a revision as its digest was made: sorted `sha256 size path`."""
    rows = revision.files.order_by().values_list("path", "blob__sha256", "blob__size_bytes")
    return "".join(f"{sha256} {size} {path}\n" for path, sha256, size in sorted(rows))


def open_cases(person: Person) -> QuerySet[Case]:
    """Cases to which this person may add data."""
    return Case.objects.taken_part_in_by(person).filter(state=CaseState.OPEN).order_by("-pk")

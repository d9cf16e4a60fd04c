"""Datasets as lists and pages show them: with the number and size of their newest revision."""

from django.db.models import OuterRef, Q, QuerySet, Subquery

from fabriek.cases.models import Case
from fabriek.cases.states import CaseState
from fabriek.datasets.models import Dataset
from fabriek.people.models import Person
from fabriek.store.models import Revision


def shown(person: Person) -> QuerySet[Dataset]:
    """Give what this person may see, each with `revision`, `file_count` and `size_bytes`."""
    newest = Revision.objects.filter(repository=OuterRef("repository")).order_by("-number")
    return (
        Dataset.objects.visible_to(person)
        .select_related("case__organisation", "repository")
        .annotate(
            revision=Subquery(newest.values("number")[:1]),
            file_count=Subquery(newest.values("file_count")[:1]),
            size_bytes=Subquery(newest.values("size_bytes")[:1]),
        )
    )


def search(person: Person, words: str = "") -> QuerySet[Dataset]:
    """Find by code, title, text or case; newest first."""
    rows = shown(person).order_by("-created_at", "-pk")
    for word in words.split()[:5]:
        rows = rows.filter(
            Q(code__iexact=word)
            | Q(title__icontains=word)
            | Q(description__icontains=word)
            | Q(case__code__iexact=word)
            | Q(case__title__icontains=word)
        )
    return rows


def open_cases(person: Person) -> QuerySet[Case]:
    """Cases to which this person may add data."""
    return Case.objects.taken_part_in_by(person).filter(state=CaseState.OPEN).order_by("-pk")

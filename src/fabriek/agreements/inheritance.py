"""Terms that what was made of data has from that data: written once, read at each decision."""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from fabriek.agreements import terms
from fabriek.agreements.models import Agreement, Duty
from fabriek.agreements.terms import Terms
from fabriek.agreements.traces import Inherited
from fabriek.kernel.prepared import Prepared
from fabriek.store.models import Repository


def terms_of(repository: Repository) -> list[Inherited]:
    """Give what it descends from; nothing where it was made of open or own data only."""
    if not _ANY.rows(repository.pk):
        return []  # most have none, and it is asked at each decision
    rows = Inherited.objects.filter(repository=repository).select_related("agreement__case")
    return list(rows.order_by("pk"))


def _any(repository: int) -> "QuerySet[Inherited, Any]":
    return Inherited.objects.filter(repository=repository).order_by().values_list("pk")[:1]


_ANY = Prepared(_any)


def pass_on(to: Repository, *, agreements: Iterable[int], sources: Iterable[int]) -> bool:
    """Write down under which terms `to` was made.

    Those of its data, and those that its sources have themselves, so that a base model two
    steps back still counts. Both are given by their keys. Safe to repeat. Tells whether an
    owner looks at it before it goes out.
    """
    rows = [
        Inherited(repository=to, agreement=agreement, needs_review=asks_review(agreement))
        for agreement in passed_on_by(agreements, sources)
    ]
    Inherited.objects.bulk_create(rows, ignore_conflicts=True)
    return any(row.needs_review for row in rows)


def passed_on_by(agreements: Iterable[int], sources: Iterable[int]) -> list[Agreement]:
    """Give the agreements that bind what is made by these, of these repositories."""
    further = Inherited.objects.filter(repository__in=list(sources))
    named = {*agreements, *further.values_list("agreement", flat=True)}
    rows = Agreement.objects.filter(pk__in=named).order_by("pk")
    return list(rows.select_related("repository__organisation"))


def strictest(repository: Repository) -> Terms | None:
    """Tell what all of them together allow; None where nothing binds it."""
    return terms.strictest_of(terms.of(row.agreement) for row in terms_of(repository))


def asks_review(agreement: Agreement) -> bool:
    return Duty.REVIEW in agreement.duties

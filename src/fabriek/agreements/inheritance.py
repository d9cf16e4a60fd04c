"""Terms that what was made of data has from that data: written once, read at each decision."""

from collections.abc import Iterable

from fabriek.agreements import terms
from fabriek.agreements.models import Agreement, Duty
from fabriek.agreements.terms import Terms
from fabriek.agreements.traces import Inherited
from fabriek.store.models import Repository


def terms_of(repository: Repository) -> list[Inherited]:
    """Give what it descends from; nothing where it was made of open or own data only."""
    rows = Inherited.objects.filter(repository=repository).select_related("agreement__case")
    return list(rows.order_by("pk"))


def pass_on(
    to: Repository, *, agreements: Iterable[int], sources: Iterable[int]
) -> None:
    """Write down under which terms `to` was made: its data's own, and those that its sources
    have themselves, so that a base model two steps back still counts. Safe to repeat.

    By their keys: the agreements, and the repositories it was made of.
    """
    rows = [
        Inherited(repository=to, agreement=agreement, needs_review=asks_review(agreement))
        for agreement in passed_on_by(agreements, sources)
    ]
    Inherited.objects.bulk_create(rows, ignore_conflicts=True)


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

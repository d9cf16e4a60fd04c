"""Terms that what was made of data has from that data: written once, read at each decision."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from fabriek.agreements import lean, terms
from fabriek.agreements.lean import Party
from fabriek.agreements.models import Agreement, Duty, Place
from fabriek.agreements.terms import Terms
from fabriek.agreements.traces import Inherited
from fabriek.kernel.prepared import Prepared
from fabriek.people.models import Person
from fabriek.store.models import Repository

NOTED = "_is_bound"  # on a repository: what was read along with it


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeUnder:
    """`others`: how many more there are that who asks is no party to."""

    codes: tuple[str, ...]
    others: int


def terms_of(repository: Repository) -> list[Inherited]:
    """Give what it descends from; nothing where it was made of open or own data only."""
    if not _is_bound(repository):
        return []  # most have none, and it is asked at each decision
    rows = Inherited.objects.filter(repository=repository)
    rows = rows.select_related("agreement__case", "agreement__repository__case")
    return list(rows.order_by("pk"))


def datasets_of(repository: Repository) -> "QuerySet[Inherited, Any]":
    """Name the datasets that were made of this data: they share its fate, whoever has them."""
    rows = Inherited.objects.filter(agreement__repository=repository.pk)
    return rows.filter(repository__kind=Repository.Kind.DATASET).values("repository")


def is_bound() -> Exists:
    """Tell of each repository of a query whether anything binds it."""
    return Exists(Inherited.objects.filter(repository=OuterRef("pk")))


def note(repository: Repository, *, is_bound: bool) -> None:
    """Spare the next decision about this very object a question: its answer is known.

    For whoever decides at once. Once only, as what is pushed may bind it a moment later.
    """
    repository.__dict__[NOTED] = is_bound


def _is_bound(repository: Repository) -> bool:
    noted: bool | None = repository.__dict__.pop(NOTED, None)
    return bool(_ANY.rows(repository.pk)) if noted is None else noted


def _any(repository: int) -> "QuerySet[Inherited, Any]":
    return Inherited.objects.filter(repository=repository).order_by().values_list("pk")[:1]


_ANY = Prepared(_any)


def pass_on(to: Repository, *, agreements: Iterable[int], sources: Iterable[int]) -> bool:
    """Write down under which terms `to` was made.

    Those of its data, and those that its sources have themselves, so that a base model two
    steps back still counts. Both are given by their keys. Safe to repeat. Tells whether an
    owner looks at it before it goes out: at a model; who may have the data itself is asked
    of a dataset each time.
    """
    to.__dict__.pop(NOTED, None)
    is_result = to.kind == Repository.Kind.MODEL
    rows = [
        Inherited(
            repository=to,
            agreement=agreement,
            needs_review=is_result and asks_review(agreement),
        )
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


def made_under(repository: Repository, person: Person) -> MadeUnder | None:
    """Tell by which agreements this was made of data of others; None where it was not.

    An agreement for other organisations of a case has no name here.
    """
    rows = terms_of(repository)
    if not rows:
        return None
    theirs = Agreement.objects.of_parties(person).filter(
        pk__in=[row.agreement_id for row in rows]
    )
    codes = tuple(theirs.order_by("pk").values_list("code", flat=True))
    return MadeUnder(codes=codes, others=len(rows) - len(codes))


def hears(repository: Repository, person: Person) -> bool:
    """Tell whether this person is meant in all agreements about what it was made of."""
    return all(party.includes(person) for party in _parties(repository))


def is_for_some(repository: Repository) -> bool:
    """Tell whether it was made of data that is for some organisations of a case only."""
    return bool(_parties(repository))


def _parties(repository: Repository) -> list[Party]:
    rows = terms_of(repository)
    return list(lean.parties(row.agreement_id for row in rows).values()) if rows else []


def strictest(repository: Repository) -> Terms | None:
    """Tell what all of them together allow; None where nothing binds it."""
    return terms.strictest_of(terms.of(row.agreement) for row in terms_of(repository))


def asks_review(agreement: Agreement) -> bool:
    """Tell whether its owner looks at results; of the secure part the signed text says so."""
    return Duty.REVIEW in agreement.duties or agreement.place == Place.SECURE

"""The questions of every decision, with their SQL written once (see `kernel.prepared`)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from fabriek.agreements.models import Agreement
from fabriek.agreements.states import AgreementState
from fabriek.agreements.traces import Inherited
from fabriek.cases.models import Case, Partner
from fabriek.cases.states import PartnerState
from fabriek.kernel.prepared import Prepared
from fabriek.people.models import Person
from fabriek.store.models import Repository

Rows = QuerySet[Any, Any]

# Whoever never came to an agreement is a stranger again.
NO_PARTY = (AgreementState.REFUSED, AgreementState.WITHDRAWN)
# What decisions look at; an agreement reads the rest, long texts among it, when asked for it.
COLUMNS = [
    "id",
    "code",
    "repository_id",
    "case_id",
    "state",
    "purposes",
    "product",
    "place",
    "duties",
    "begins_at",
    "ends_at",
    "text_sha256",
]


@dataclass(frozen=True, slots=True)
class Party:
    """Who of its case an agreement is for: those `named`, by their keys; of none, all of it.

    The organisation that leads the case is among them, unless the owner left it out.
    """

    named: frozenset[int] = frozenset()

    def includes(self, person: Person) -> bool:
        return not self.named or not self.named.isdisjoint(person.organisation_ids)


ALL = Party()


def of_case(repository: Repository, case: Case) -> list[tuple[Agreement, Party]]:
    """Give the agreements of one case on this, in the order in which they were made."""
    return _with_party(_OF_CASE.rows(repository.pk, case.pk))


def of_cases_of(repository: Repository, person: Person) -> list[tuple[Agreement, Party]]:
    """Give the agreements on this of all cases that this person takes part in."""
    organisations = tuple(sorted(person.organisation_ids))
    if not organisations:
        return []
    return _with_party(_OF_ORGANISATIONS.rows(repository.pk, organisations))


def reviews(person: Person, repository: Repository) -> bool:
    """Tell whether it was made of data of this person's, and waits for their look."""
    organisations = tuple(sorted(person.organisation_ids))
    return bool(organisations and _REVIEWED.rows(repository.pk, organisations))


def parties(agreements: Iterable[int]) -> dict[int, Party]:
    """Give who is meant by those of these that name organisations; few do."""
    named: dict[int, set[int]] = {}
    for agreement, with_leader, leader, firm in _NAMED.rows(tuple(sorted(agreements))):
        named.setdefault(agreement, set()).update({firm, leader} if with_leader else {firm})
    return {one: Party(frozenset(firms)) for one, firms in named.items()}


# --- what is asked -----------------------------------------------------------------------
def _of_case(repository: int, case: int) -> Rows:
    return _columns(Agreement.objects.filter(repository=repository, case=case))


def _of_organisations(repository: int, organisations: tuple[int, ...]) -> Rows:
    led = Case.objects.filter(organisation__in=organisations).values("pk")
    joined = Partner.objects.filter(organisation__in=organisations, state=PartnerState.ACCEPTED)
    # Not "led or joined": PostgreSQL answers that by reading every case there is.
    theirs = led.union(joined.values("case"))
    return _columns(Agreement.objects.filter(repository=repository, case__in=theirs))


def _columns(rows: "QuerySet[Agreement]") -> Rows:
    through = Agreement.organisations.through.objects.filter(agreement=OuterRef("pk"))
    # Sorted by us: asked for in order, SQLite reads all agreements on this to find a few.
    rows = rows.exclude(state__in=NO_PARTY).order_by()
    return rows.values_list(*COLUMNS, Exists(through))


def _with_party(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Agreement, Party]]:
    some = [row[0] for row in rows if row[-1]]
    found = parties(some) if some else {}
    return [
        (Agreement.from_db("default", COLUMNS, row[:-1]), found.get(row[0], ALL))
        for row in sorted(rows, key=itemgetter(0))
    ]


def _reviewed(repository: int, organisations: tuple[int, ...]) -> Rows:
    rows = Inherited.objects.filter(repository=repository, needs_review=True)
    rows = rows.filter(agreement__repository__organisation__in=organisations)
    return rows.order_by().values_list("pk")[:1]


def _named(agreements: tuple[int, ...]) -> Rows:
    through = Agreement.organisations.through.objects.filter(agreement__in=agreements)
    rows = through.order_by()
    leader = "agreement__with_leader", "agreement__case__organisation"
    return rows.values_list("agreement", *leader, "organisation")


_OF_CASE = Prepared(_of_case)
_OF_ORGANISATIONS = Prepared(_of_organisations)
_REVIEWED = Prepared(_reviewed)
_NAMED = Prepared(_named)

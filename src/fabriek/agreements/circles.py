"""For whom of a case data is meant: who of it could have it in hands in a session of their own.

Persons are asked for one by one elsewhere. This is asked before anybody is there: what a run
works on lies where others of its case work too.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_

from django.utils import timezone

from fabriek.agreements import lean, term_rules
from fabriek.agreements.inheritance import terms_of
from fabriek.agreements.lean import Party
from fabriek.agreements.traces import Inherited
from fabriek.agreements.wishes import Wish
from fabriek.cases.models import Case
from fabriek.store.models import Repository


@dataclass(frozen=True, slots=True)
class Circle:
    """Organisations of a case, by their keys; None: all of them, whoever joins later too."""

    members: frozenset[int] | None = None

    def __and__(self, other: "Circle") -> "Circle":
        if self.members is None or other.members is None:
            return other if self.members is None else self
        return Circle(self.members & other.members)

    def __or__(self, other: "Circle") -> "Circle":
        if self.members is None or other.members is None:
            return EVERYBODY
        return Circle(self.members | other.members)


EVERYBODY, NOBODY = Circle(), Circle(frozenset())


def together(several: Iterable[Circle]) -> Circle:
    """Give those who are in all of them; of none at all, everybody."""
    return reduce(and_, several, EVERYBODY)


def of(wish: Wish) -> Circle:
    """Give for whom this would be allowed; the wish names a case, and nobody."""
    if wish.case is None or wish.party is not None:
        raise ValueError("a circle is of a case, not of a person")
    found = _of_itself(wish, wish.case)
    inherited = terms_of(wish.repository)
    parties = lean.parties(row.agreement_id for row in inherited) if inherited else {}
    for passed_on in inherited:
        found &= _passed_on(passed_on, wish, parties.get(passed_on.agreement_id, lean.ALL))
    return found


def _of_itself(wish: Wish, case: Case) -> Circle:
    if wish.repository.is_open or wish.repository.case_id == case.pk:
        return EVERYBODY
    found = NOBODY
    for circle in _allowed(wish, case):
        found |= circle
    return found


def _allowed(wish: Wish, case: Case) -> Iterator[Circle]:
    now = timezone.now()
    for agreement, party in lean.of_case(wish.repository, case):
        if term_rules.judged(agreement, wish, now=now).allowed:
            yield _of(party)


def _passed_on(passed_on: Inherited, wish: Wish, party: Party) -> Circle:
    """Look at a copy of data as at that data; a model is something else, and time no matter."""
    if wish.repository.kind != Repository.Kind.MODEL and wish.case is not None:
        source = passed_on.agreement.repository
        return _of_itself(replace(wish, repository=source, revision=None), wish.case)
    allowed = term_rules.judged_passed_on(passed_on, wish, lean.ALL).allowed
    return _of(party) if allowed else NOBODY


def _of(party: Party) -> Circle:
    return Circle(party.named) if party.named else EVERYBODY

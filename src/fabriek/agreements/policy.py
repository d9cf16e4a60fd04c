"""The one place that decides whether data may be seen, read, worked on or let out."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from fabriek.agreements import decision_log, lean, reasons, secure_part, term_rules
from fabriek.agreements.inheritance import terms_of
from fabriek.agreements.lean import NO_PARTY, Party
from fabriek.agreements.models import Agreement, Place
from fabriek.agreements.states import AgreementState
from fabriek.agreements.traces import Inherited
from fabriek.agreements.wishes import ANYTHING, Decision, Moment, Wish
from fabriek.cases.models import Case, cases_of
from fabriek.cases.rules import takes_part
from fabriek.kernel.errors import NotAllowed
from fabriek.people.models import Person
from fabriek.store.models import Repository

__all__ = [
    "ANYTHING",
    "Decision",
    "Moment",
    "Wish",
    "decide",
    "deny",
    "in_force",
    "require",
    "shared_with",
    "usable_by",
    "visible_to",
    "would",
]

# What these hold of data of others is that data still, whatever they call it.
COPIES = frozenset({Repository.Kind.DATASET, Repository.Kind.CODE})
LISTED = (Repository.Listed.MEMBERS, Repository.Listed.EVERYBODY)
OPEN, OWN = term_rules.answer("open", True), term_rules.answer("own", True)
REVIEWER = term_rules.answer("reviewer", True)
SEEN = term_rules.answer("listed", True)
NOT_YOURS = term_rules.answer(reasons.NOT_YOURS, False)
NOT_AGREED = term_rules.answer("not_agreed", False)


def decide(wish: Wish) -> Decision:
    """Allow or deny, and write that down; what is not allowed by something is denied.

    Call it outside of a transaction: one that is rolled back takes the line with it. To see
    what is open or one's own is not written down.
    """
    decision = would(wish)
    decision_log.write(wish, decision)
    return decision


def require(wish: Wish) -> Decision:
    """Refuse what is denied. Raises: NotAllowed, with the reason in words."""
    decision = decide(wish)
    if not decision.allowed:
        raise NotAllowed(decision.sentence, code=decision.code)
    return decision


def deny(wish: Wish, code: str) -> Decision:
    """Deny, for a reason that lies with who asks and not in an agreement; written down too."""
    decision = term_rules.answer(code, False)
    decision_log.write(wish, decision)
    return decision


def would(wish: Wish) -> Decision:
    """Say what would be decided, for a button or a page; nothing is done and nothing logged."""
    if _is_forged(wish):
        return NOT_YOURS
    decision = _of_itself(wish)
    if not decision.allowed or wish.moment == Moment.SEE:
        return decision
    inherited = terms_of(wish.repository)
    parties, is_own = _parties(wish, inherited), decision is OWN
    for passed_on in inherited:
        limit = _limit(passed_on, wish, parties)
        if not limit.allowed:
            return limit
        # Of several sources the one that is lent says more than one that is open by now.
        if is_own and decision.agreement is None and (decision is OWN or limit.agreement):
            decision = limit
    return decision


def _limit(passed_on: Inherited, wish: Wish, parties: dict[int, Party]) -> Decision:
    """Decide by what it was made of: a copy of data is that data, a model is something else."""
    if wish.repository.kind in COPIES:
        source = passed_on.agreement.repository
        return _of_itself(replace(wish, repository=source, revision=None))
    party = parties.get(passed_on.agreement_id, lean.ALL)
    return term_rules.judged_passed_on(passed_on, wish, party)


def visible_to(person: Person) -> QuerySet[Repository]:
    """Give all that this person would be allowed to SEE."""
    return Repository.objects.filter(
        Q(is_open=True)
        | Q(case__in=cases_of(person))
        | Q(listed_for__in=LISTED)
        | Q(pk__in=_of_parties(person))
        | Q(pk__in=_to_review(person))
    )


def shared_with(person: Person) -> QuerySet[Repository]:
    """Give what this person's organisations have an agreement on, or had."""
    return Repository.objects.filter(pk__in=_of_parties(person))


def usable_by(
    case: Case, *, asked_by: Person | None = None, is_secure: bool = False
) -> QuerySet[Repository]:
    """Give all that a run of this case would be allowed to work on now.

    `asked_by`: leave out what agreements lend to other organisations of the case only.
    `is_secure`: also what it would have to go to the secure part of the machine for.
    """
    places = [Place.OPEN, Place.SHARED]
    if is_secure and secure_part.exists():
        places.append(Place.SECURE)
    agreed = in_force(timezone.now()).filter(case=case, place__in=places)
    if asked_by is not None:
        agreed = agreed.filter(_meant_for(asked_by), case__in=cases_of(asked_by))
    return Repository.objects.filter(
        Q(is_open=True) | Q(case=case) | Q(pk__in=agreed.values("repository"))
    )


def in_force(now: datetime) -> QuerySet[Agreement]:
    """Give what holds at this moment: its last moment is the one before `ends_at`."""
    return Agreement.objects.filter(
        state=AgreementState.IN_FORCE, begins_at__lte=now, ends_at__gt=now
    )


# The keys of repositories: asked once for a list, where a question for each row would be slow.
def _to_review(person: Person) -> "QuerySet[Inherited, Any]":
    """Name what was made of data of this person's organisations, and waits for their look."""
    firms = person.organisation_ids
    rows = Inherited.objects.filter(needs_review=True)
    return rows.filter(agreement__repository__organisation__in=firms).values("repository")


def _of_parties(person: Person) -> "QuerySet[Agreement, Any]":
    """Name what this person's organisations have, had or asked for an agreement on."""
    rows = Agreement.objects.exclude(state__in=NO_PARTY)
    return rows.filter(_meant_for(person), case__in=cases_of(person)).values("repository")


def _meant_for(person: Person) -> Q:
    firms = person.organisation_ids
    named = Agreement.organisations.through.objects.filter(agreement=OuterRef("pk"))
    ours = named.filter(organisation__in=firms)
    return ~Exists(named) | Exists(ours) | Q(case__organisation__in=firms, with_leader=True)


def _is_forged(wish: Wish) -> bool:
    """Tell whether somebody names a case that is not theirs."""
    person, case = wish.person, wish.case
    return person is not None and case is not None and not takes_part(person, case)


def _has_left(wish: Wish) -> bool:
    """Tell whether who asked the factory is of the consortium no more: a run may wait long."""
    asked_by, case = wish.on_behalf_of, wish.case
    return asked_by is not None and case is not None and not takes_part(asked_by, case)


def _of_itself(wish: Wish) -> Decision:
    """Decide without looking at what the thing was made of."""
    if wish.repository.is_open:
        return OPEN
    if _is_own(wish):
        return OWN
    return _by_agreement(wish)


def _is_own(wish: Wish) -> bool:
    owner = wish.repository.case
    if owner is None:
        return False
    if wish.case is not None:
        return wish.case.pk == owner.pk
    return wish.person is not None and takes_part(wish.person, owner)


def _by_agreement(wish: Wish) -> Decision:
    if wish.moment == Moment.SEE and _is_reviewer(wish):
        return REVIEWER
    best, nearest = _without(wish), -1
    if _has_left(wish):
        return best
    for decision in _answers(wish):
        if decision.allowed:
            return decision
        if (near := reasons.NEARNESS.index(decision.code)) >= nearest:  # the newest of equals
            best, nearest = decision, near
    return best


def _is_reviewer(wish: Wish) -> bool:
    if wish.person is None or wish.case is not None:
        return False
    return lean.reviews(wish.person, wish.repository)


def _without(wish: Wish) -> Decision:
    """Answer who has no agreement: only what is listed may be known to exist."""
    if wish.repository.listed_for not in LISTED:
        return NOT_YOURS
    return SEEN if wish.moment == Moment.SEE else NOT_AGREED


def _answers(wish: Wish) -> Iterator[Decision]:
    now = timezone.now()
    for agreement, party in _agreements(wish):
        if wish.party and not party.includes(wish.party):
            if wish.moment != Moment.SEE:
                yield term_rules.about(agreement, "not_named", False)
            continue
        yield term_rules.judged(agreement, wish, now=now)


def _agreements(wish: Wish) -> list[tuple[Agreement, Party]]:
    if wish.case is not None:
        return lean.of_case(wish.repository, wish.case)
    return lean.of_cases_of(wish.repository, wish.person) if wish.person is not None else []


def _parties(wish: Wish, inherited: list[Inherited]) -> dict[int, Party]:
    asked = inherited if wish.party is not None else []
    return lean.parties(row.agreement_id for row in asked) if asked else {}

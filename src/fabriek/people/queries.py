"""Questions about persons and organisations, each answered with one query."""

from dataclasses import dataclass

from django.db.models import F, QuerySet
from django.db.models.functions import Lower

from fabriek.people import numbers
from fabriek.people.models import (
    Invitation,
    Membership,
    Organisation,
    Person,
    Role,
    Token,
)
from fabriek.people.states import InvitationState

MOST_FOUND = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Members:
    """Who belongs to an organisation, its leads first."""

    memberships: list[Membership]

    @property
    def leads(self) -> int:
        return sum(one.role == Role.LEAD for one in self.memberships)


def invitations_for(person: Person) -> QuerySet[Invitation]:
    """Open invitations to join an organisation, sent to this person's address."""
    return Invitation.objects.filter(
        email=person.email.lower(), state=InvitationState.INVITED
    ).select_related("organisation", "invited_by")


def open_invitations(organisation: Organisation) -> QuerySet[Invitation]:
    return organisation.invitations.filter(state=InvitationState.INVITED).order_by("invited_at")


def members_of(organisation: Organisation) -> Members:
    rows = organisation.memberships.select_related("person").order_by(
        "role", Lower("person__name")
    )
    return Members(memberships=list(rows))


def memberships_of(person: Person) -> QuerySet[Membership]:
    return person.memberships.select_related("organisation").order_by(
        Lower("organisation__name")
    )


def tokens_of(person: Person) -> QuerySet[Token]:
    return person.tokens.order_by(F("revoked_at").asc(nulls_first=True), "-created_at", "-pk")


def organisations_like(text: str) -> QuerySet[Organisation]:
    """Organisations with this number, or with these words in their name."""
    found = Organisation.objects.registered_as(text)
    if numbers.kvk_problem(text) is None or found.exists():
        return found
    return Organisation.objects.filter(name__icontains=text).order_by(Lower("name"))


def is_registered(number: str) -> bool:
    return Organisation.objects.registered_as(number).exists()


def cluster_logins() -> dict[int, set[str]]:
    """Name the logins on the cluster that members have, by the id of their organisation."""
    rows = Membership.objects.filter(person__is_active=True).exclude(person__unix_name="")
    logins: dict[int, set[str]] = {}
    for organisation, name in rows.values_list("organisation_id", "person__unix_name"):
        logins.setdefault(organisation, set()).add(name)
    return logins

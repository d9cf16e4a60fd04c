"""Everything that can be done to organisations and their members."""

from datetime import timedelta
from typing import NotRequired, TypedDict, Unpack

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.kernel import journal, text
from fabriek.kernel.errors import Invalid, Refused, WrongState
from fabriek.people import foreign_numbers, numbers, rules, tokens
from fabriek.people.models import (
    Invitation,
    Membership,
    Organisation,
    Person,
    Role,
    Token,
)
from fabriek.people.states import INVITATION

journal.describe(
    {
        "people.register": _("registered the organisation"),
        "people.edit": _("changed the details of the organisation"),
        "people.invite": _("invited somebody to the organisation"),
        "people.accept": _("joined the organisation"),
        "people.decline": _("declined to join the organisation"),
        "people.withdraw": _("withdrew an invitation to the organisation"),
        "people.change_role": _("changed somebody's role in the organisation"),
        "people.remove": _("removed somebody from the organisation"),
        "people.make_token": _("made an access token"),
        "people.revoke_token": _("revoked an access token"),
    }
)


class OrganisationChanges(TypedDict, total=False):
    """What may be changed afterwards; the number may not, it is who they are."""

    name: str
    kind: str
    country: str
    region: str
    staff_count: int | None
    turnover_eur: int | None
    balance_eur: int | None


class OrganisationFacts(OrganisationChanges):
    """One of the two numbers: that of the Dutch trade register, or one abroad."""

    kvk_number: NotRequired[str]
    foreign_number: NotRequired[str]


SHORTEST_DAYS = 1
LONGEST_DAYS = 365
FACTS = ("name", "kind", "country", "region", "staff_count", "turnover_eur", "balance_eur")


def register_organisation(*, by: Person, **facts: Unpack[OrganisationFacts]) -> Organisation:
    """Add an organisation, with `by` as its first lead.

    Raises:
        Invalid: the number is none, or another value will not do.
        Refused: an organisation with this number is registered (code `kvk_taken`).
    """
    organisation = Organisation(**facts)
    organisation.kvk_number = numbers.normalise(organisation.kvk_number)
    organisation.foreign_number = foreign_numbers.normalise(organisation.foreign_number)
    _check(organisation)
    try:
        with transaction.atomic():
            organisation.save()
            Membership.objects.create(organisation=organisation, person=by, role=Role.LEAD)
            journal.record("people.register", organisation, by=by)
    except IntegrityError as race:
        refusal = rules.number_taken(organisation.registered_as)
        raise Refused(refusal, code="kvk_taken") from race
    by.forget_roles()
    return organisation


def edit_organisation(
    organisation: Organisation, *, by: Person, **changes: Unpack[OrganisationChanges]
) -> Organisation:
    rules.require("edit", by, organisation)
    before = {name: getattr(organisation, name) for name in changes}
    for name, value in changes.items():
        setattr(organisation, name, value)
    _check(organisation)
    changed = [name for name in changes if getattr(organisation, name) != before[name]]
    if changed:
        with transaction.atomic():
            organisation.save(update_fields=changed)
            journal.record("people.edit", organisation, by=by, changed=changed)
    return organisation


def invite_member(
    organisation: Organisation, email: str, *, role: str, by: Person
) -> Invitation:
    """Ask somebody to join; who has no account yet finds the invitation after signing up.

    The answer is the same whether the address is known here or not.
    """
    rules.require("manage_members", by, organisation)
    invitation = Invitation(
        organisation=organisation, email=email.strip().lower(), role=role, invited_by=by
    )
    text.check(invitation, ["email", "role"])
    if organisation.memberships.filter(person__email=invitation.email).exists():
        raise Refused(
            _("This person belongs to the organisation already. Change their role instead."),
            code="already_member",
        )
    try:
        with transaction.atomic():
            invitation.save()
            journal.record("people.invite", invitation, by=by)
    except IntegrityError as race:
        raise Refused(
            _(
                "This address has an open invitation already. "
                "Ask the person to sign in with it."
            ),
            code="already_invited",
        ) from race
    return invitation


def accept_invitation(invitation: Invitation, *, by: Person) -> Membership:
    rules.demand("answer", rules.may_answer(by, invitation))
    with transaction.atomic():
        INVITATION.take("accept", invitation, by=by, answered_at=timezone.now())
        membership = Membership.objects.get_or_create(
            organisation=invitation.organisation, person=by, defaults={"role": invitation.role}
        )[0]
    by.forget_roles()
    return membership


def decline_invitation(invitation: Invitation, *, by: Person) -> Invitation:
    rules.demand("answer", rules.may_answer(by, invitation))
    INVITATION.take("decline", invitation, by=by, answered_at=timezone.now())
    return invitation


def withdraw_invitation(invitation: Invitation, *, by: Person) -> Invitation:
    rules.require("manage_members", by, invitation.organisation)
    INVITATION.take("withdraw", invitation, by=by, answered_at=timezone.now())
    return invitation


def change_role(membership: Membership, role: str, *, by: Person) -> Membership:
    rules.require("manage_members", by, membership.organisation)
    if role not in Role.values:
        raise Invalid(_("There is no such role. Choose lead or member."))
    with transaction.atomic():
        _lock(membership)
        if role != Role.LEAD:
            _keep_a_lead(membership)
        rows = Membership.objects.filter(pk=membership.pk, role=membership.role)
        if not rows.update(role=role):
            raise WrongState(_("Somebody else changed this a moment ago. Look again."))
        journal.record(
            "people.change_role",
            membership.organisation,
            by=by,
            role=role,
            member=membership.pk,
        )
    membership.role = role
    _forget(membership, by)
    return membership


def remove_member(membership: Membership, *, by: Person) -> None:
    rules.demand("remove", rules.may_remove(by, membership))
    with transaction.atomic():
        _lock(membership)
        _keep_a_lead(membership)
        if not Membership.objects.filter(pk=membership.pk).delete()[0]:
            raise WrongState(_("This person was removed already. Look again."))
        journal.record("people.remove", membership.organisation, by=by, member=membership.pk)
    _forget(membership, by)


def make_token(*, by: Person, name: str, scope: str, days: int) -> tuple[Token, str]:
    """Make a key for programs; the key itself is returned here and never again.

    Raises:
        Invalid: no name, an unknown scope, or more than a year.
    """
    if not SHORTEST_DAYS <= days <= LONGEST_DAYS:
        sentence = _("A token is valid for 1 to 365 days. Choose a number between those.")
        raise Invalid(sentence, fields={"days": sentence})
    made = tokens.new_key()
    token = Token(
        person=by,
        name=text.line(name),
        prefix=made.prefix,
        digest=made.digest,
        scope=scope,
        expires_at=timezone.now() + timedelta(days=days),
    )
    text.check(token, ["name", "scope"])
    with transaction.atomic():
        token.save()
        journal.record("people.make_token", token, by=by, scope=scope, days=days)
    return token, made.key


def revoke_token(token: Token, *, by: Person) -> Token:
    """Make the key worthless from this moment on.

    Raises:
        WrongState: it was revoked before.
    """
    rules.demand("revoke", rules.may_revoke(by, token))
    now = timezone.now()
    with transaction.atomic():
        if not Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now):
            raise WrongState(_("This token was revoked already, so no program can use it."))
        journal.record("people.revoke_token", token, by=by)
    token.revoked_at = now
    return token


def _check(organisation: Organisation) -> None:
    organisation.name = text.line(organisation.name)
    organisation.region = text.line(organisation.region)
    organisation.country = organisation.country.upper()
    text.check(organisation, FACTS)
    if wrong := rules.number_refusal(organisation):
        field, refusal = wrong
        raise Invalid(refusal, code=field, fields={field: refusal})


def _lock(membership: Membership) -> None:
    """Let changes to the members of one organisation follow each other.

    Two leads who step down at once would otherwise each count the other as the lead who stays.
    """
    Organisation.objects.select_for_update().get(pk=membership.organisation_id)


def _keep_a_lead(membership: Membership) -> None:
    leads = Membership.objects.filter(
        organisation_id=membership.organisation_id, role=Role.LEAD
    )
    if not leads.exclude(pk=membership.pk).exists():
        raise Refused(
            _(
                "This is the last lead of the organisation, and somebody must be able to "
                "decide for it. Make somebody else lead first."
            ),
            code="last_lead",
        )


def _forget(membership: Membership, by: Person) -> None:
    membership.person.forget_roles()
    by.forget_roles()

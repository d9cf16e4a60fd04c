import pytest

from fabriek.kernel.errors import Invalid, NotAllowed, Refused, WrongState
from fabriek.kernel.models import Entry
from fabriek.people import actions, queries
from fabriek.people.models import Invitation, Membership
from fabriek.people.states import INVITATION, InvitationState
from tests.factories import a_person, an_organisation

pytestmark = pytest.mark.django_db


@pytest.fixture
def lead():
    return a_person()


@pytest.fixture
def organisation(lead):
    return an_organisation(lead=lead)


@pytest.fixture
def guest():
    return a_person(email="guest@example.org")


@pytest.fixture
def invitation(organisation, lead, guest):
    return actions.invite_member(organisation, guest.email, role="member", by=lead)


def test_an_unknown_address_finds_its_invitation_after_signing_up(organisation, lead):
    actions.invite_member(organisation, " New.Person@Example.org ", role="member", by=lead)

    newcomer = a_person(email="new.person@example.org")

    assert [i.organisation for i in queries.invitations_for(newcomer)] == [organisation]
    assert list(queries.invitations_for(a_person())) == []


def test_accepting_makes_a_member(invitation, organisation, guest):
    actions.accept_invitation(invitation, by=guest)

    assert guest.belongs_to(organisation.pk)
    assert Membership.objects.get(person=guest).role == "member"
    assert list(queries.invitations_for(guest)) == []
    assert list(Entry.objects.order_by("pk").values_list("verb", flat=True)) == [
        "people.invite",
        "people.accept",
    ]


def test_declining_makes_no_member(invitation, organisation, guest):
    actions.decline_invitation(invitation, by=guest)

    assert not guest.belongs_to(organisation.pk)
    assert invitation.state == InvitationState.DECLINED


def test_a_lead_withdraws_an_invitation(invitation, lead, guest):
    actions.withdraw_invitation(invitation, by=lead)

    with pytest.raises(WrongState):
        actions.accept_invitation(invitation, by=guest)

    assert not Membership.objects.filter(person=guest).exists()


@pytest.mark.parametrize("answer", [actions.accept_invitation, actions.decline_invitation])
def test_nobody_answers_for_another_address(invitation, lead, answer):
    with pytest.raises(NotAllowed):
        answer(invitation, by=lead)

    invitation.refresh_from_db()
    assert invitation.state == InvitationState.INVITED


@pytest.mark.parametrize("answer", [actions.accept_invitation, actions.decline_invitation])
def test_an_answer_counts_once(invitation, guest, answer):
    stale = Invitation.objects.get(pk=invitation.pk)
    answer(invitation, by=guest)

    with pytest.raises(WrongState):
        answer(invitation, by=guest)
    with pytest.raises(WrongState, match="a moment ago"):
        answer(stale, by=guest)

    assert Entry.objects.count() == 2


def test_only_a_lead_invites_or_withdraws(invitation, organisation, guest):
    with pytest.raises(NotAllowed):
        actions.invite_member(organisation, "x@example.org", role="lead", by=guest)
    with pytest.raises(NotAllowed):
        actions.withdraw_invitation(invitation, by=guest)

    assert Invitation.objects.count() == 1


def test_inviting_the_same_address_twice_is_refused(invitation, organisation, lead):
    with pytest.raises(Refused, match="open invitation") as refusal:
        actions.invite_member(organisation, invitation.email, role="lead", by=lead)

    assert refusal.value.code == "already_invited"
    assert Invitation.objects.count() == 1
    assert Entry.objects.count() == 1


def test_after_an_answer_the_same_address_may_be_invited_again(
    invitation, organisation, lead, guest
):
    actions.decline_invitation(invitation, by=guest)

    again = actions.invite_member(organisation, guest.email, role="member", by=lead)

    assert list(queries.open_invitations(organisation)) == [again]


def test_a_member_is_not_invited_again(organisation, lead):
    with pytest.raises(Refused) as refusal:
        actions.invite_member(organisation, lead.email, role="member", by=lead)

    assert refusal.value.code == "already_member"


@pytest.mark.parametrize("email", ["", "piet", "a@b", "x" * 300 + "@example.org", "a\x00@b.nl"])
def test_what_is_no_address_is_refused(organisation, lead, email):
    with pytest.raises(Invalid) as refusal:
        actions.invite_member(organisation, email, role="member", by=lead)

    assert list(refusal.value.fields) == ["email"]
    assert not Invitation.objects.exists()


def test_an_unknown_role_is_refused(organisation, lead):
    with pytest.raises(Invalid) as refusal:
        actions.invite_member(organisation, "a@example.org", role="king", by=lead)

    assert list(refusal.value.fields) == ["role"]


def test_who_joined_in_the_meantime_keeps_their_role(invitation, organisation, guest):
    Membership.objects.create(organisation=organisation, person=guest, role="lead")

    membership = actions.accept_invitation(invitation, by=guest)

    assert membership.role == "lead"


def test_every_state_can_be_reached():
    reachable = {InvitationState.INVITED}
    reachable |= {step.target for step in INVITATION.steps.values()}

    assert reachable == set(InvitationState)

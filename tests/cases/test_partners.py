import pytest

from fabriek.cases import actions, queries, rules
from fabriek.cases.models import Case, Partner
from fabriek.cases.states import CaseState, PartnerState
from fabriek.kernel.errors import Invalid, NotAllowed, Refused, WrongState
from fabriek.kernel.models import Entry
from tests.factories import a_case, a_partner, a_person, an_organisation, staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def lead():
    return a_person()


@pytest.fixture
def case(lead):
    return a_case(lead=lead)


@pytest.fixture
def guest():
    return a_person()


@pytest.fixture
def institute(guest):
    return an_organisation(lead=guest, name="Institute", kind="knowledge")


@pytest.fixture
def partner(case, institute, lead):
    return actions.invite(case, institute, part="expert", message="Join us.", by=lead)


def test_an_invited_organisation_finds_the_invitation_but_not_the_case(partner, case, guest):
    assert list(queries.invitations_for(guest)) == [partner]
    assert not Case.objects.visible_to(guest).exists()
    entry = Entry.objects.get()
    assert (entry.verb, entry.thread, entry.details) == (
        "cases.invite",
        case.code,
        {"note": "Institute"},
    )


def test_accepting_opens_the_case(partner, case, guest):
    actions.accept(partner, by=guest)

    assert list(Case.objects.visible_to(guest)) == [case]
    assert list(queries.invitations_for(guest)) == []
    assert partner.answered_at is not None


def test_declining_keeps_the_case_closed_and_it_may_be_asked_again(partner, case, guest, lead):
    actions.decline(partner, by=guest)
    assert not Case.objects.visible_to(guest).exists()

    actions.invite_again(partner, by=lead)

    assert list(queries.invitations_for(guest)) == [partner]
    assert partner.answered_at is None


def test_leaving_closes_the_case_again(partner, guest):
    actions.accept(partner, by=guest)

    actions.leave(partner, by=guest)

    assert not Case.objects.visible_to(guest).exists()
    assert partner.state == PartnerState.LEFT


ANSWERS = {
    "accept": (actions.accept, PartnerState.INVITED),
    "decline": (actions.decline, PartnerState.INVITED),
    "leave": (actions.leave, PartnerState.ACCEPTED),
}


@pytest.mark.parametrize("step", ANSWERS)
def test_only_a_lead_of_the_invited_organisation_answers(case, lead, institute, step):
    action, state = ANSWERS[step]
    colleague = a_person()
    institute.memberships.create(person=colleague, role="member")
    partner = a_partner(case, organisation=institute, state=state)

    for person in (lead, colleague, staff(), a_person()):
        with pytest.raises(NotAllowed):
            action(partner, by=person)

    partner.refresh_from_db()
    assert partner.state == state
    assert not Entry.objects.exists()


@pytest.mark.parametrize("step", ANSWERS)
def test_an_answer_counts_once(case, guest, institute, step):
    action, state = ANSWERS[step]
    partner = a_partner(case, organisation=institute, state=state)
    stale = Partner.objects.get(pk=partner.pk)
    action(partner, by=guest)

    with pytest.raises(WrongState):
        action(partner, by=guest)
    with pytest.raises(WrongState, match="a moment ago"):
        action(stale, by=guest)

    assert Entry.objects.count() == 1


@pytest.mark.parametrize("step", ANSWERS)
def test_nothing_is_answered_about_a_case_that_is_over(case, guest, institute, lead, step):
    action, state = ANSWERS[step]
    partner = a_partner(case, organisation=institute, state=state)
    actions.withdraw(case, by=lead)

    with pytest.raises(WrongState, match="is over"):
        action(Partner.objects.get(pk=partner.pk), by=guest)

    partner.refresh_from_db()
    assert partner.state == state
    assert list(queries.invitations_for(guest)) == []


def test_the_invited_do_not_invite_themselves_again(case, guest, institute):
    partner = a_partner(case, organisation=institute, state=PartnerState.DECLINED)

    with pytest.raises(NotAllowed):
        actions.invite_again(partner, by=guest)

    partner.refresh_from_db()
    assert partner.state == PartnerState.DECLINED


def test_an_open_invitation_is_not_repeated(partner, lead):
    with pytest.raises(WrongState):
        actions.invite_again(partner, by=lead)

    assert Entry.objects.count() == 1


def test_an_organisation_is_invited_once(partner, case, institute, lead):
    with pytest.raises(Refused) as refusal:
        actions.invite(case, institute, part="user", message="", by=lead)

    assert refusal.value.code == "already_invited"
    assert (Partner.objects.count(), Entry.objects.count()) == (1, 1)


def test_the_own_organisation_is_not_invited(case, lead):
    with pytest.raises(Refused) as refusal:
        actions.invite(case, case.organisation, part="user", message="", by=lead)

    assert refusal.value.code == "own_organisation"
    assert not Partner.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"), [("part", "boss"), ("message", "x" * 2001), ("message", "a\x00b")]
)
def test_hostile_values_are_refused_by_field(case, institute, lead, field, value):
    with pytest.raises(Invalid) as refusal:
        actions.invite(
            case, institute, by=lead, **{"part": "user", "message": ""} | {field: value}
        )

    assert list(refusal.value.fields) == [field]
    assert not Partner.objects.exists()


def test_a_member_a_partner_and_staff_invite_nobody(case, guest, institute):
    member = a_person()
    case.organisation.memberships.create(person=member, role="member")
    a_partner(case, organisation=institute)

    for person in (member, guest, staff(), a_person()):
        with pytest.raises(NotAllowed):
            actions.invite(case, an_organisation(), part="user", message="", by=person)

    assert Partner.objects.count() == 1


def test_a_case_that_is_over_takes_no_partners(lead, institute):
    case = a_case(lead=lead, state=CaseState.CLOSED)

    with pytest.raises(WrongState):
        actions.invite(case, institute, part="user", message="", by=lead)

    assert not Partner.objects.exists()


def test_the_steps_shown_are_those_that_are_allowed(partner, guest, lead):
    colleague = a_person()
    partner.organisation.memberships.create(person=colleague, role="member")

    steps = rules.next_steps_of_partner(guest, partner)
    assert [step.name for step in steps] == ["accept", "decline"]
    assert rules.next_steps_of_partner(lead, partner) == []
    assert rules.next_steps_of_partner(colleague, partner) == []

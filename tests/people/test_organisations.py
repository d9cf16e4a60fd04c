import pytest

from fabriek.kernel.errors import Invalid, NotAllowed, Refused, WrongState
from fabriek.kernel.models import Entry
from fabriek.people import actions
from fabriek.people.models import Membership, Organisation
from tests.factories import a_person, an_organisation, staff

pytestmark = pytest.mark.django_db

FACTS = {
    "name": "Zorgtaal B.V.",
    "kind": "sme",
    "country": "NL",
    "region": "Groningen",
    "staff_count": 12,
    "turnover_eur": 1_900_000,
    "balance_eur": 900_000,
}


def test_registering_makes_an_organisation_with_its_first_lead():
    person = a_person()

    organisation = actions.register_organisation(
        by=person, kvk_number=" 1234.5678 ", **FACTS | {"name": "  Zorgtaal   B.V. "}
    )

    organisation.refresh_from_db()
    assert (organisation.name, organisation.kvk_number) == ("Zorgtaal B.V.", "12345678")
    assert person.leads(organisation.pk)
    assert list(Entry.objects.values_list("verb", "by", "subject_id")) == [
        ("people.register", person.pk, organisation.pk)
    ]


def test_figures_that_are_not_known_yet_may_stay_empty():
    facts = FACTS | {"staff_count": None, "turnover_eur": None, "balance_eur": None}

    organisation = actions.register_organisation(by=a_person(), kvk_number="12345678", **facts)

    organisation.refresh_from_db()
    assert organisation.staff_count is None


def test_a_number_that_is_registered_is_refused_with_the_way_in():
    an_organisation(lead=a_person(), kvk_number="12345678")

    with pytest.raises(Refused, match="leads to invite you") as refusal:
        actions.register_organisation(by=a_person(), kvk_number="12345678", **FACTS)

    assert refusal.value.code == "kvk_taken"
    assert Organisation.objects.count() == 1
    assert not Entry.objects.exists()


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        ("", "Fill in"),
        ("1234567", "exactly 8 digits"),
        ("123456789012", "exactly 8 digits"),
        ("1234567x", "digits only"),
        ("00000000", "ever given out"),
        ("١٢٣٤٥٦٧٨", "digits only"),
    ],
)
def test_a_number_that_is_no_kvk_number_is_explained(number, sentence):
    with pytest.raises(Invalid, match=sentence) as refusal:
        actions.register_organisation(by=a_person(), kvk_number=number, **FACTS)

    assert list(refusal.value.fields) == ["kvk_number"]
    assert not Organisation.objects.exists()


GERMAN = FACTS | {"name": "Sprache GmbH", "country": "DE", "region": "Bremen"}


def test_an_organisation_abroad_registers_with_the_number_of_its_country():
    person = a_person()

    made = actions.register_organisation(by=person, foreign_number="de 811.128.135", **GERMAN)

    made.refresh_from_db()
    assert (made.kvk_number, made.foreign_number) == ("", "DE811128135")
    assert made.registered_as == "VAT number DE811128135"
    assert person.leads(made.pk)
    for typed in ("DE811128135", " de 811 128 135"):
        assert list(Organisation.objects.registered_as(typed)) == [made]
    assert not Organisation.objects.registered_as("").exists()
    with pytest.raises(Refused) as refused:
        actions.register_organisation(by=a_person(), foreign_number="DE811128135", **GERMAN)
    assert refused.value.code == "kvk_taken"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"foreign_number": "DE8111"}, "foreign_number"),
        ({"foreign_number": "BE0123456789"}, "country"),
        ({"foreign_number": "DE811128135", "country": "NL"}, "foreign_number"),
        ({"foreign_number": "DE811128135", "kvk_number": "12345678"}, "foreign_number"),
        ({}, "kvk_number"),
    ],
)
def test_what_is_wrong_with_a_number_abroad_is_said_beside_it(changes, field):
    with pytest.raises(Invalid) as refused:
        actions.register_organisation(by=a_person(), **GERMAN | changes)

    assert list(refused.value.fields) == [field]
    assert not Organisation.objects.exists()


def test_it_cannot_move_to_a_country_that_its_number_is_not_of():
    person = a_person()
    made = actions.register_organisation(by=person, foreign_number="DE811128135", **GERMAN)

    with pytest.raises(Invalid) as refused:
        actions.edit_organisation(made, by=person, country="BE")

    assert list(refused.value.fields) == ["country"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "x" * 300),
        ("name", "   "),
        ("name", "Zorg\x00taal"),
        ("name", "Zorg\ud800taal"),
        ("name", "Zorg\u202etaal"),
        ("kind", "charity"),
        ("country", "NLD"),
        ("region", "x" * 81),
        ("staff_count", -1),
        ("turnover_eur", 10**30),
    ],
)
def test_hostile_values_are_refused_by_field_and_nothing_is_kept(field, value):
    with pytest.raises(Invalid) as refusal:
        actions.register_organisation(
            by=a_person(), kvk_number="12345678", **FACTS | {field: value}
        )

    assert list(refusal.value.fields) == [field]
    assert not Organisation.objects.exists()


def test_a_lead_changes_the_details_and_the_journal_says_which():
    lead = a_person()
    organisation = an_organisation(lead=lead, staff_count=9)

    actions.edit_organisation(organisation, by=lead, staff_count=11, name=organisation.name)

    organisation.refresh_from_db()
    assert organisation.staff_count == 11
    assert list(Entry.objects.values_list("verb", "details")) == [
        ("people.edit", {"changed": ["staff_count"]})
    ]


def test_editing_twice_with_the_same_values_writes_one_line():
    lead = a_person()
    organisation = an_organisation(lead=lead)

    for _ in range(2):
        actions.edit_organisation(organisation, by=lead, region="Drenthe")

    assert Entry.objects.count() == 1


def test_staff_may_correct_the_figures():
    organisation = an_organisation(lead=a_person())

    actions.edit_organisation(organisation, by=staff(), staff_count=300)

    organisation.refresh_from_db()
    assert organisation.staff_count == 300


def test_a_member_may_not_change_the_details():
    member = a_person()
    organisation = an_organisation(lead=a_person(), member=member, region="Drenthe")

    with pytest.raises(NotAllowed):
        actions.edit_organisation(organisation, by=member, region="Limburg")

    organisation.refresh_from_db()
    assert organisation.region == "Drenthe"
    assert not Entry.objects.exists()


def test_a_lead_makes_a_member_lead_and_may_then_step_down():
    lead, member = a_person(), a_person()
    organisation = an_organisation(lead=lead, member=member)
    theirs = Membership.objects.get(person=member)
    own = Membership.objects.get(person=lead)

    actions.change_role(theirs, "lead", by=lead)
    actions.change_role(own, "member", by=lead)

    assert dict(organisation.memberships.values_list("person", "role")) == {
        lead.pk: "member",
        member.pk: "lead",
    }
    assert not lead.leads(organisation.pk)


def test_the_last_lead_can_neither_step_down_nor_leave():
    lead = a_person()
    an_organisation(lead=lead, member=a_person())
    own = Membership.objects.get(person=lead)

    with pytest.raises(Refused, match="last lead"):
        actions.change_role(own, "member", by=lead)
    with pytest.raises(Refused, match="last lead"):
        actions.remove_member(own, by=lead)

    own.refresh_from_db()
    assert own.role == "lead"
    assert not Entry.objects.exists()


def test_of_two_leads_who_step_down_with_stale_pages_one_stays():
    one, other = a_person(), a_person()
    organisation = an_organisation(lead=one)
    Membership.objects.create(organisation=organisation, person=other, role="lead")
    first, second = Membership.objects.order_by("pk").select_related("person")
    assert (one.leads(organisation.pk), other.leads(organisation.pk)) == (True, True)

    actions.change_role(first, "member", by=one)
    with pytest.raises(Refused, match="last lead"):
        actions.change_role(second, "member", by=other)

    assert organisation.memberships.filter(role="lead").count() == 1


def test_changing_a_role_from_a_stale_page_is_refused():
    lead, member = a_person(), a_person()
    an_organisation(lead=lead, member=member)
    stale = Membership.objects.get(person=member)
    actions.change_role(Membership.objects.get(person=member), "lead", by=lead)

    with pytest.raises(WrongState):
        actions.change_role(stale, "lead", by=lead)

    assert Entry.objects.count() == 1


def test_an_unknown_role_is_refused():
    lead, member = a_person(), a_person()
    an_organisation(lead=lead, member=member)

    with pytest.raises(Invalid):
        actions.change_role(Membership.objects.get(person=member), "king", by=lead)

    assert Membership.objects.get(person=member).role == "member"


def test_a_member_changes_nobodys_role():
    member = a_person()
    an_organisation(lead=a_person(), member=member)

    with pytest.raises(NotAllowed):
        actions.change_role(Membership.objects.get(person=member), "lead", by=member)

    assert Membership.objects.get(person=member).role == "member"


def test_a_lead_removes_a_member_once():
    lead, member = a_person(), a_person()
    organisation = an_organisation(lead=lead, member=member)
    membership = Membership.objects.get(person=member)
    stale = Membership.objects.get(person=member)

    actions.remove_member(membership, by=lead)
    with pytest.raises(WrongState):
        actions.remove_member(stale, by=lead)

    assert not Membership.objects.filter(organisation=organisation, person=member).exists()
    assert Entry.objects.count() == 1


def test_a_member_may_leave_but_not_remove_another():
    member, other = a_person(), a_person()
    organisation = an_organisation(lead=a_person(), member=member)
    Membership.objects.create(organisation=organisation, person=other, role="member")

    with pytest.raises(NotAllowed):
        actions.remove_member(Membership.objects.get(person=other), by=member)
    actions.remove_member(Membership.objects.get(person=member), by=member)

    assert set(organisation.memberships.values_list("person", flat=True)) >= {other.pk}
    assert not member.belongs_to(organisation.pk)


def test_people_see_their_own_organisations_and_staff_see_all():
    person = a_person()
    own = an_organisation(lead=person)
    an_organisation(lead=a_person())

    assert list(Organisation.objects.visible_to(person)) == [own]
    assert Organisation.objects.visible_to(staff()).count() == 2

import pytest
from django.test import Client

from fabriek.people import actions, tokens
from fabriek.people.models import Invitation, Membership, Organisation, Person, Token
from tests.factories import a_person, a_token, an_organisation, staff

pytestmark = pytest.mark.django_db

FORM = {
    "kvk_number": "12345678",
    "name": "Zorgtaal B.V.",
    "kind": "sme",
    "country": "NL",
    "region": "Groningen",
    "staff_count": "12",
    "turnover_eur": "1900000",
    "balance_eur": "",
}


@pytest.fixture
def lead():
    return a_person()


@pytest.fixture
def organisation(lead):
    return an_organisation(lead=lead, name="Zorgtaal")


def test_a_firm_abroad_registers_with_the_number_of_its_country(browser):
    abroad = FORM | {"kvk_number": "", "foreign_number": "BE 0123.456.789"}
    client = browser(a_person())

    wrong = client.post("/people/organisations/new", abroad)
    right = client.post("/people/organisations/new", abroad | {"country": "BE"}, follow=True)

    assert "A Dutch organisation gives its KvK number" in wrong.text
    assert '<details class="field" open>' in wrong.text
    assert "VAT number BE0123456789" in right.text
    made = Organisation.objects.get()
    edit = f"/people/organisations/{made.pk}/edit"
    moved = client.post(edit, FORM | {"country": "DE"})
    assert "letters of another country" in moved.text


def test_signing_up_keeps_the_name_and_shows_the_invitation(settings, organisation, lead):
    settings.ACCOUNT_EMAIL_VERIFICATION = "none"
    actions.invite_member(organisation, "piet@example.org", role="member", by=lead)
    visitor = Client(headers={"Accept-Language": "en"})

    visitor.post(
        "/accounts/signup/",
        {
            "name": " Piet  Postma ",
            "email": "Piet@Example.org",
            "password1": "een-lang-woord-9",
        },
    )

    assert Person.objects.get(email="piet@example.org").name == "Piet Postma"
    page = visitor.get("/people/me")
    assert "Invitation from Zorgtaal" in page.text


@pytest.mark.parametrize("name", ["", "x" * 300, "Piet\x07"])
def test_signing_up_with_an_impossible_name_makes_no_account(settings, name):
    settings.ACCOUNT_EMAIL_VERIFICATION = "none"

    page = Client(headers={"Accept-Language": "en"}).post(
        "/accounts/signup/",
        {"name": name, "email": "piet@example.org", "password1": "een-lang-woord-9"},
    )

    assert page.status_code == 200
    assert not Person.objects.exists()


@pytest.mark.parametrize(
    "address",
    ["/people/me", "/people/tokens", "/people/organisations/new", "/people/organisations/1/"],
)
def test_a_visitor_is_asked_to_sign_in(address):
    page = Client().get(address)

    assert (page.status_code, page.url) == (302, f"/accounts/login/?next={address}")


def test_a_newcomer_is_told_what_to_do_first(browser):
    page = browser(a_person()).get("/people/me")

    assert "Register your organisation, so that you can describe" in page.text
    assert "<title>Your account" in page.text


def test_registering_by_page_shows_the_size_class_with_its_reasons(browser, lead):
    page = browser(lead).post("/people/organisations/new", FORM, follow=True)

    made = Organisation.objects.get()
    assert page.redirect_chain == [(f"/people/organisations/{made.pk}/", 302)]
    assert "small enterprise" in page.text
    assert "Staff: 12, which is fewer than 50." in page.text
    assert "Turnover: € 1,900,000, at most € 10,000,000." in page.text


def test_figures_that_contradict_the_kind_are_pointed_out(browser, lead):
    organisation = an_organisation(
        lead=lead, kind="sme", staff_count=900, turnover_eur=0, balance_eur=0
    )

    page = browser(lead).get(organisation.get_absolute_url())

    assert "by these figures it is larger" in page.text


def test_a_public_body_has_no_size_class(browser, lead):
    organisation = an_organisation(lead=lead, kind="public")

    assert "Size class" not in browser(lead).get(organisation.get_absolute_url()).text


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("kvk_number", "123", "exactly 8 digits"),
        ("name", "x" * 300, "at most 200 characters"),
        ("name", "Zorg\x07taal", "cannot be shown"),
        ("staff_count", "-1", "greater than or equal to 0"),
        ("staff_count", "12,5", "without decimals"),
        ("country", "XX", "Select a valid choice"),
    ],
)
def test_a_wrong_form_comes_back_with_everything_typed(browser, lead, field, value, sentence):
    page = browser(lead).post("/people/organisations/new", FORM | {field: value})

    assert page.status_code == 200
    assert sentence in page.text
    assert 'value="1900000"' in page.text
    assert not Organisation.objects.exists()


def test_a_number_that_is_taken_is_said_beside_the_field(browser, lead, organisation):
    form = FORM | {"kvk_number": organisation.kvk_number}

    page = browser(a_person()).post("/people/organisations/new", form)

    assert "leads to invite you" in page.text
    assert Organisation.objects.count() == 1


def test_a_name_with_a_script_is_shown_as_text(browser, lead):
    organisation = an_organisation(lead=lead, name="<script>alert(1)</script>")

    for address in (organisation.get_absolute_url(), "/people/me"):
        page = browser(lead).get(address)
        assert "<script>alert(1)" not in page.text
        assert "&lt;script&gt;alert(1)" in page.text


def test_the_details_are_changed_by_page(browser, lead, organisation):
    form = {k: v for k, v in FORM.items() if k != "kvk_number"}

    page = browser(lead).post(
        f"/people/organisations/{organisation.pk}/edit", form, follow=True
    )

    assert "The details are saved." in page.text
    organisation.refresh_from_db()
    assert (organisation.staff_count, organisation.balance_eur) == (12, None)


@pytest.mark.parametrize("language", ["nl", "en"])
def test_figures_are_read_alike_in_both_languages(browser, lead, language):
    figures = {"staff_count": "5.000", "turnover_eur": "1,200,000", "balance_eur": "1 200 000"}

    browser(lead, language=language).post("/people/organisations/new", FORM | figures)

    made = Organisation.objects.get()
    assert (made.staff_count, made.turnover_eur) == (5000, 1_200_000)
    assert made.balance_eur == 1_200_000


def test_a_member_who_opens_the_edit_page_is_told_why_not(browser, organisation):
    member = a_person()
    Membership.objects.create(organisation=organisation, person=member, role="member")

    page = browser(member).get(f"/people/organisations/{organisation.pk}/edit")

    assert page.status_code == 403
    assert "Only a lead of this organisation" in page.text


def test_organisations_of_others_do_not_exist(browser, organisation):
    stranger = browser(a_person())
    address = organisation.get_absolute_url()

    assert stranger.get(address).status_code == 404
    assert stranger.get(f"{address}edit").status_code == 404
    assert stranger.post(f"{address}invite", {}).status_code == 404
    assert browser(staff()).get(address).status_code == 200


def test_a_lead_invites_and_the_invited_joins(browser, lead, organisation):
    guest = a_person()
    address = organisation.get_absolute_url()

    asked = browser(lead).post(
        f"{address}invite", {"email": guest.email, "role": "member"}, follow=True
    )
    invitation = Invitation.objects.get()
    joined = browser(guest).post(f"/people/invitations/{invitation.pk}/accept", follow=True)

    assert "is invited" in asked.text
    assert joined.redirect_chain == [(address, 302)]
    assert Membership.objects.get(person=guest).role == "member"


def test_a_wrong_address_comes_back_in_the_form(browser, lead, organisation):
    page = browser(lead).post(
        f"{organisation.get_absolute_url()}invite", {"email": "piet", "role": "member"}
    )

    assert 'value="piet"' in page.text
    assert not Invitation.objects.exists()


def test_invitations_of_others_do_not_exist(browser, lead, organisation):
    invitation = actions.invite_member(organisation, "a@example.org", role="lead", by=lead)
    stranger = browser(a_person())

    for step in ("accept", "decline", "withdraw"):
        assert stranger.post(f"/people/invitations/{invitation.pk}/{step}").status_code == 404


def test_an_invitation_is_declined_or_withdrawn_by_page(browser, lead, organisation):
    guest = a_person()
    first = actions.invite_member(organisation, guest.email, role="member", by=lead)
    browser(guest).post(f"/people/invitations/{first.pk}/decline")
    second = actions.invite_member(organisation, guest.email, role="member", by=lead)
    browser(lead).post(f"/people/invitations/{second.pk}/withdraw")

    states = Invitation.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["declined", "withdrawn"]


def test_roles_are_changed_and_members_removed_by_page(browser, lead, organisation):
    member = a_person()
    theirs = Membership.objects.create(organisation=organisation, person=member, role="member")
    address = f"{organisation.get_absolute_url()}members/{theirs.pk}"
    client = browser(lead)

    client.post(f"{address}/role", {"role": "lead"})
    theirs.refresh_from_db()
    assert theirs.role == "lead"

    assert client.post(f"{address}/role", {"role": "king"}).status_code == 422
    assert "Remove" in client.get(f"{address}/remove").text
    client.post(f"{address}/remove")
    assert not Membership.objects.filter(pk=theirs.pk).exists()


def test_who_leaves_goes_to_their_own_page(browser, lead, organisation):
    member = a_person()
    own = Membership.objects.create(organisation=organisation, person=member, role="member")

    page = browser(member).post(f"{organisation.get_absolute_url()}members/{own.pk}/remove")

    assert (page.status_code, page.url) == (302, "/people/me")


def test_the_last_lead_is_told_why_nothing_happened(browser, lead, organisation):
    own = Membership.objects.get(person=lead)

    page = browser(lead).post(f"{organisation.get_absolute_url()}members/{own.pk}/remove")

    assert page.status_code == 409
    assert "last lead" in page.text


def test_a_new_token_is_shown_once_and_is_kept_by_no_cache(browser, lead):
    client = browser(lead)
    form = {"name": "laptop", "scope": "read", "days": "30"}

    page = client.post("/people/tokens", form)

    key = page.context["key"]
    assert key in page.text
    assert "no-store" in page.headers["Cache-Control"]
    assert tokens.find(key) == Token.objects.get()
    assert key not in client.get("/people/tokens").text


def test_the_form_of_a_token_begins_with_the_least_and_says_what_each_choice_lets_one_do(
    browser, lead
):
    page = browser(lead).get("/people/tokens")

    scope = page.context["form"]["scope"]
    assert [(choice.data["value"], choice.data["selected"]) for choice in scope] == [
        ("read", True),
        ("write", False),
    ]
    for words in ("look only: find, read and download", "send and remove files, start runs"):
        assert words in page.text


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"name": "x" * 300}, {"scope": "all"}, {"days": "9999"}]
)
def test_a_wrong_token_form_makes_none(browser, lead, wrong):
    form = {"name": "laptop", "scope": "read", "days": "30"} | wrong

    page = browser(lead).post("/people/tokens", form)

    assert page.status_code == 200
    assert page.context["form"].errors
    assert not Token.objects.exists()


def test_only_the_own_tokens_are_revoked(browser, lead):
    key = a_token(lead)
    token = Token.objects.get()

    assert browser(a_person()).post(f"/people/tokens/{token.pk}/revoke").status_code == 404
    assert tokens.find(key) == token
    browser(lead).post(f"/people/tokens/{token.pk}/revoke")

    assert tokens.find(key) is None


def test_pages_speak_dutch(browser, lead, organisation):
    page = browser(lead, language="nl").get(organisation.get_absolute_url())

    assert "Nodig een collega uit" in page.text


@pytest.mark.parametrize("many", [1, 30])
def test_the_pages_cost_the_same_queries_however_many(
    browser, lead, organisation, many, django_assert_num_queries
):
    for _ in range(many):
        Membership.objects.create(organisation=organisation, person=a_person(), role="member")
        Membership.objects.create(organisation=an_organisation(), person=lead, role="member")
        actions.invite_member(organisation, a_person().email, role="member", by=lead)
        host = an_organisation(lead=(other := a_person()))
        actions.invite_member(host, lead.email, role="member", by=other)
        a_token(lead)
    client = browser(lead)

    with django_assert_num_queries(8):
        client.get(organisation.get_absolute_url())
    with django_assert_num_queries(6):
        client.get("/people/me")
    with django_assert_num_queries(4):
        client.get("/people/tokens")
    with django_assert_num_queries(4):
        client.get("/people/organisations/new")

import pytest
from django.test import Client

from fabriek.cases import actions
from fabriek.cases.models import Case, Intake, Partner
from fabriek.cases.states import CaseState, PartnerState
from tests.factories import a_case, a_partner, a_person, a_sector, an_organisation, staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def lead():
    return a_person()


@pytest.fixture
def organisation(lead):
    return an_organisation(lead=lead, name="Zorgtaal")


@pytest.fixture
def draft(organisation, lead):
    return a_case(lead=lead, organisation=organisation, state=CaseState.DRAFT, proposed_at=None)


@pytest.fixture
def case(organisation, lead):
    return a_case(lead=lead, organisation=organisation)


def form(**changes):
    return {
        "title": "Shorter waiting",
        "problem": "Messages arrive at the wrong desk.",
        "sector": a_sector().pk,
        "data_description": "",
        "trl_now": "3",
        "trl_aimed": "6",
    } | changes


def test_a_visitor_is_asked_to_sign_in():
    page = Client().get("/cases/")

    assert (page.status_code, page.url) == (302, "/accounts/login/?next=/cases/")


def test_a_newcomer_is_sent_to_register_first(browser):
    client = browser(a_person())

    for address in ("/cases/", "/cases/new"):
        page = client.get(address)
        assert 'href="/people/organisations/new"' in page.text
        assert "<table" not in page.text


def test_an_empty_list_gives_the_first_step(browser, lead, organisation):
    page = browser(lead).get("/cases/")

    assert "Describe your first case" in page.text
    assert "<table" not in page.text


def test_a_search_without_result_leads_back(browser, lead, case):
    page = browser(lead).get("/cases/?q=elephant")

    assert "No case fits this search." in page.text


def test_the_list_searches_filters_and_sorts_by_address(browser, lead, organisation):
    one = a_case(lead=lead, organisation=organisation, title="Beta", state=CaseState.CLOSED)
    two = a_case(lead=lead, organisation=organisation, title="Alfa")
    client = browser(lead)

    def shown(query):
        return client.get(f"/cases/{query}").context["page"].items

    assert shown("") == [two, one]
    assert shown("?sort=-title") == [one, two]
    assert shown("?sort=title") == [two, one]
    assert shown("?state=closed") == [one]
    assert shown("?q=alf") == [two]
    assert shown(f"?q={one.code}") == [one]
    assert shown("?q=zorgtaal") == [two, one]
    assert shown("?sort=evil&state=none&page=99") == [two, one]
    assert shown("?q=%00alfa") == [two]


def test_the_list_pages_by_twenty_five(browser, lead, organisation):
    for _ in range(26):
        a_case(lead=lead, organisation=organisation)

    page = browser(lead).get("/cases/?page=2")

    assert len(page.context["page"].items) == 1
    assert "26 to 26 of 26" in page.text


def test_a_case_is_drafted_and_proposed_by_page(browser, lead, organisation):
    client = browser(lead)

    made = client.post("/cases/new", form(organisation=organisation.pk), follow=True)
    case = Case.objects.get()
    done = client.post(f"/cases/{case.code}/propose", follow=True)

    assert made.redirect_chain == [(f"/cases/{case.code}/", 302)]
    assert "Propose this case when it is complete" in made.text
    assert "state--open" in done.text
    assert "Proposed the case" in done.text


def test_nobody_drafts_for_the_organisation_of_another(browser, lead, organisation):
    other = an_organisation(lead=a_person())

    page = browser(lead).post("/cases/new", form(organisation=other.pk))

    assert page.context["form"].errors.keys() == {"organisation"}
    assert not Case.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("title", "x" * 300, "at most 200 characters"),
        ("title", "a\x07b", "cannot be shown"),
        ("problem", "a\x00b", "Null characters are not allowed"),
        ("trl_aimed", "2", "cannot be lower"),
        ("trl_now", "12", "Select a valid choice"),
        ("sector", "999", "Select a valid choice"),
    ],
)
def test_a_wrong_form_comes_back_with_everything_typed(
    browser, lead, organisation, field, value, sentence
):
    typed = form(organisation=organisation.pk, data_description="my own words") | {field: value}

    page = browser(lead).post("/cases/new", typed)

    assert page.status_code == 200
    assert sentence in page.text
    assert "my own words" in page.text
    assert not Case.objects.exists()


def test_a_title_with_a_script_is_shown_as_text(browser, lead, organisation):
    case = a_case(lead=lead, organisation=organisation, title="<script>alert(1)</script>")
    guest = a_person()
    partner = a_partner(case, lead=guest, state=PartnerState.INVITED)
    pages = [
        browser(lead).get("/cases/"),
        browser(lead).get(case.get_absolute_url()),
        browser(guest).get("/cases/"),
        browser(guest).get(f"/cases/invitations/{partner.pk}/"),
    ]

    for page in pages:
        assert "<script>alert(1)" not in page.text
        assert "&lt;script&gt;alert(1)" in page.text


def test_a_case_of_another_does_not_exist_on_any_page(browser, case):
    stranger = browser(a_person())

    for rest in ("", "edit", "propose", "close", "withdraw", "invite", "intake"):
        address = f"/cases/{case.code}/{rest}"
        answer = stranger.post(address) if rest == "propose" else stranger.get(address)
        assert answer.status_code == 404


def test_staff_read_a_case_and_are_offered_nothing_that_is_not_theirs(browser, case):
    page = browser(staff()).get(case.get_absolute_url())

    assert page.status_code == 200
    assert page.context["next_steps"] == []


def test_a_confidential_case_says_so_everywhere(browser, lead, organisation):
    case = a_case(lead=lead, organisation=organisation, is_confidential=True)

    for address in ("/cases/", case.get_absolute_url()):
        assert "confidential" in browser(lead).get(address).text


def test_a_case_is_edited_by_page(browser, lead, draft):
    page = browser(lead).post(f"/cases/{draft.code}/edit", form(title="Mended"), follow=True)

    assert "The case is saved." in page.text
    draft.refresh_from_db()
    assert draft.title == "Mended"


def test_a_member_is_told_why_a_proposed_case_is_not_theirs_to_change(browser, case):
    member = a_person()
    case.organisation.memberships.create(person=member, role="member")

    page = browser(member).get(f"/cases/{case.code}/edit")

    assert page.status_code == 403
    assert "only a lead may change a case that was proposed" in page.text


@pytest.mark.parametrize("step", ["close", "withdraw"])
def test_ending_a_case_asks_first(browser, lead, case, step):
    client = browser(lead)

    asked = client.get(f"/cases/{case.code}/{step}")
    case.refresh_from_db()
    assert "This cannot be undone." in asked.text
    assert case.state == CaseState.OPEN

    client.post(f"/cases/{case.code}/{step}")
    case.refresh_from_db()
    assert case.state in {CaseState.CLOSED, CaseState.WITHDRAWN}


def test_proposing_twice_is_refused_in_words(browser, lead, case):
    page = browser(lead).post(f"/cases/{case.code}/propose")

    assert page.status_code == 409
    assert "This cannot be done now" in page.text


@pytest.mark.parametrize("who", ["12345678", "1234 5678", "institute of", "Institute"])
def test_a_partner_is_found_by_number_or_by_name(browser, lead, case, who):
    an_organisation(name="Institute of Care", kvk_number="87654321")
    wanted = an_organisation(name="Institute", kvk_number="12345678")
    if who == "institute of":
        wanted = an_organisation(name="Institute of Speech", kvk_number="11112222")
        who = "institute of sp"

    browser(lead).post(f"/cases/{case.code}/invite", {"who": who, "part": "expert"})

    assert Partner.objects.get().organisation == wanted


@pytest.mark.parametrize(
    ("who", "sentence"),
    [
        ("99999999", "No organisation with this number or name"),
        ("Inst", "More than one organisation matches: Institute A (KvK 11111111)"),
        ("Zorgtaal", "proposes the case itself"),
        ("Known partner", "was invited to this case before"),
        ("x" * 300, "at most 200 characters"),
        ("%", "No organisation with this number or name"),
    ],
)
def test_a_partner_that_cannot_be_invited_is_explained(browser, lead, case, who, sentence):
    an_organisation(name="Institute A", kvk_number="11111111")
    an_organisation(name="Institute B", kvk_number="22222222")
    a_partner(case, organisation=an_organisation(name="Known partner"))

    page = browser(lead).post(f"/cases/{case.code}/invite", {"who": who, "part": "expert"})

    assert page.status_code == 200
    assert sentence in page.text
    assert Partner.objects.count() == 1


def test_an_invitation_shows_the_title_and_no_more(browser, lead, organisation):
    case = a_case(
        lead=lead, organisation=organisation, title="Our title", problem="Secret plan"
    )
    guest = a_person()
    partner = a_partner(case, lead=guest, state=PartnerState.INVITED)
    client = browser(guest)

    listed = client.get("/cases/")
    shown = client.get(f"/cases/invitations/{partner.pk}/")

    assert f"/cases/invitations/{partner.pk}/" in listed.text
    for page in (listed, shown):
        assert "Our title" in page.text
        assert "Secret plan" not in page.text
    assert client.get(case.get_absolute_url()).status_code == 404


def test_the_invited_lead_accepts_by_page_and_leaves_again(browser, case):
    guest = a_person()
    partner = a_partner(case, lead=guest, state=PartnerState.INVITED)
    client = browser(guest)

    joined = client.post(f"/cases/partners/{partner.pk}/accept", follow=True)
    left = client.post(f"/cases/partners/{partner.pk}/leave", follow=True)

    assert joined.redirect_chain == [(case.get_absolute_url(), 302)]
    assert "Agreed to take part for an organisation" in joined.text
    assert left.redirect_chain == [("/cases/", 302)]


def test_a_colleague_reads_the_invitation_and_is_told_who_answers(browser, case):
    institute = an_organisation(lead=a_person())
    colleague = a_person()
    institute.memberships.create(person=colleague, role="member")
    partner = a_partner(case, organisation=institute, state=PartnerState.INVITED)
    client = browser(colleague)

    page = client.get(f"/cases/invitations/{partner.pk}/")
    answer = client.post(f"/cases/partners/{partner.pk}/accept")

    assert "a lead of your organisation answers this" in page.text
    assert answer.status_code == 403


def test_invitations_of_others_and_unknown_steps_do_not_exist(browser, lead, case):
    partner = a_partner(case, state=PartnerState.INVITED)
    stranger = browser(a_person())

    assert stranger.get(f"/cases/invitations/{partner.pk}/").status_code == 404
    assert stranger.post(f"/cases/partners/{partner.pk}/accept").status_code == 404
    assert browser(lead).post(f"/cases/partners/{partner.pk}/explode").status_code == 404


def test_a_partner_who_declined_is_invited_again_by_page(browser, lead, case):
    partner = a_partner(case, state=PartnerState.DECLINED)

    browser(lead).post(f"/cases/partners/{partner.pk}/invite_again")

    partner.refresh_from_db()
    assert partner.state == PartnerState.INVITED


ANSWERS = {"purpose": "build", "experience": "none", "gpu_hours_guess": "", "months": "3"}


def test_the_intake_is_answered_by_page_and_filled_in_the_second_time(browser, lead, case):
    client = browser(lead)

    page = client.post(f"/cases/{case.code}/intake", ANSWERS, follow=True)

    assert page.redirect_chain == [(case.get_absolute_url(), 302)]
    intake = Intake.objects.get()
    assert (intake.months, intake.gpu_hours_guess, intake.is_eu_funded) == (3, None, False)
    again = client.get(f"/cases/{case.code}/intake")
    assert again.context["form"].initial["months"] == 3


@pytest.mark.parametrize("language", ["nl", "en"])
@pytest.mark.parametrize("typed", ["5.000", "5,000"])
def test_a_guess_is_read_alike_in_both_languages(browser, lead, case, typed, language):
    browser(lead, language=language).post(
        f"/cases/{case.code}/intake", ANSWERS | {"gpu_hours_guess": typed}
    )

    assert Intake.objects.get().gpu_hours_guess == 5000


@pytest.mark.parametrize(
    "wrong",
    [
        {"months": "0"},
        {"months": "1,5"},
        {"purpose": "x"},
        {"gpu_hours_guess": "-5"},
        {"gpu_hours_guess": "4999,5"},
    ],
)
def test_wrong_intake_answers_come_back(browser, lead, case, wrong):
    page = browser(lead).post(f"/cases/{case.code}/intake", ANSWERS | wrong)

    assert page.context["form"].errors.keys() == wrong.keys()
    assert not Intake.objects.exists()


def test_pages_speak_dutch(browser, lead, case):
    page = browser(lead, language="nl").get("/cases/")

    assert "Beschrijf een casus" in page.text


# A first page that holds all needs no counting.
@pytest.mark.parametrize(("many", "counting"), [(1, 0), (30, 1)])
def test_the_pages_cost_the_same_queries_however_many(
    browser, lead, organisation, many, counting, django_assert_num_queries
):
    for _ in range(many):
        case = a_case(lead=lead, organisation=organisation)
        invited_to = a_case()
        a_partner(invited_to, organisation=organisation, state=PartnerState.INVITED)
    for _ in range(many):
        actions.invite(case, an_organisation(), part="user", message="", by=lead)
    partner = a_partner(a_case(), organisation=organisation, state=PartnerState.INVITED)
    client = browser(lead)

    with django_assert_num_queries(6 + counting):
        client.get("/cases/")
    with django_assert_num_queries(9):  # one of them adds up what its runs drew
        client.get(case.get_absolute_url())
    with django_assert_num_queries(5):
        client.get(f"/cases/invitations/{partner.pk}/")
    with django_assert_num_queries(7):
        client.get(f"/cases/{case.code}/edit")

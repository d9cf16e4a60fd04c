"""Home: what each kind of visitor meets first, and what it costs."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from fabriek.access.states import ApplicationState
from fabriek.agreements import actions as agreements
from fabriek.agreements.models import Place
from fabriek.agreements.traces import Statement
from fabriek.cases.states import CaseState, PartnerState
from fabriek.pages import queries, views
from tests.access.worlds import a_submitted, an_awarded
from tests.agreements.ground import a_ground, some_terms
from tests.agreements.policy_world import an_agreement, passed_on
from tests.factories import (
    a_case,
    a_dataset,
    a_decision,
    a_partner,
    a_person,
    a_run,
    an_allocation,
    an_application,
    an_organisation,
    staff,
)

pytestmark = pytest.mark.django_db
# Session, person, memberships, duties; then invitations to organisations and to cases, what
# waits for an answer, a signature or a look, what was revoked, what runs, what ends, and cases
# and their ways.
QUERIES = 14
# The same without what only members have; and findings of what waits, and grants.
QUERIES_OF_STAFF = 9


def first(page):
    """Give the sentence, its note and its button, as the page shows them."""
    text = page.content.decode()
    found = re.search(r'<section class="next.*?</section>', text, re.DOTALL)[0]
    words = [part.strip() for part in re.split(r"<[^>]*>", found)]
    link = re.search(r'<a class="button" href="([^"]+)"', found)
    return [word for word in words if word], link and link[1].replace("&amp;", "&")


def test_a_visitor_is_invited_to_make_an_account():
    page = Client(headers={"Accept-Language": "en"}).get("/")

    sentences, link = first(page)
    assert page.status_code == 200
    assert sentences[0] == "Make an account to describe your first case."
    assert link == reverse("account_signup")


def test_the_welcome_shows_the_six_stops_of_the_way_in_dutch():
    page = Client(headers={"Accept-Language": "nl"}).get("/")

    stops = re.findall(r"<h3>(.*?)</h3>", page.content.decode())
    assert stops == ["Casus", "Toegang", "GPU-uren", "Data", "Runs", "Model"]


def test_a_visitor_costs_no_query(django_assert_num_queries):
    with django_assert_num_queries(0):
        Client().get("/")


def test_a_newcomer_is_asked_for_an_organisation_and_sees_no_empty_table(browser):
    page = browser(a_person()).get("/")

    assert first(page) == (
        [
            "Welcome. Tell us first which organisation you work for.",
            "Register your organisation",
        ],
        reverse("people:organisation_new"),
    )
    assert "<table" not in page.content.decode()


def test_who_has_an_organisation_is_asked_for_a_case(browser):
    person = a_person()
    an_organisation(lead=person)

    page = browser(person).get("/")

    assert first(page)[1] == reverse("cases:new")
    assert "You have no cases yet." in page.content.decode()
    assert "<table" not in page.content.decode()


def test_an_applicant_reads_what_comes_next_for_the_case(browser):
    lead = a_person()
    case = a_case(lead=lead, title="Grid forecasts")

    page = browser(lead).get("/")

    assert first(page) == (
        [
            "Answer five short questions, and we advise which access fits.",
            "Grid forecasts",
            "Get advice",
        ],
        reverse("cases:intake", args=[case.code]),
    )


def test_a_draft_is_finished_before_anything_else(browser):
    lead = a_person()
    case = a_case(lead=lead, state=CaseState.DRAFT, proposed_at=None)

    page = browser(lead).get("/")

    assert first(page)[1] == case.get_absolute_url()


def test_a_case_that_waits_for_its_people_comes_before_one_they_wait_for(browser):
    lead = a_person()
    organisation = an_organisation(lead=lead)
    waiting = a_case(lead=lead, organisation=organisation, title="Waits for you")
    looked_at = a_case(lead=lead, organisation=organisation, title="Being looked at")
    an_application(case=looked_at, state=ApplicationState.SUBMITTED)

    page = browser(lead).get("/")

    assert first(page)[0][1] == "Waits for you"
    assert first(page)[1] == reverse("cases:intake", args=[waiting.code])


def test_an_award_waits_for_its_answer_first(browser):
    application, lead = an_awarded()

    page = browser(lead).get("/")

    assert first(page)[0][1] == f"{application.code} · {application.case.title}"
    assert first(page)[1] == application.get_absolute_url()


def test_a_partner_reads_who_asks(browser):
    lead = a_person()
    ours = an_organisation(lead=lead, name="Taallab", kind="knowledge")
    case = a_case(title="Grid")
    partner = a_partner(case, organisation=ours, state=PartnerState.INVITED)

    page = browser(lead).get("/")

    sentence = f"{case.organisation} asks Taallab to take part in “Grid”."
    assert first(page) == (
        [sentence, "Answer"],
        reverse("cases:invitation", args=[partner.pk]),
    )


def test_staff_begin_with_what_was_promised_first(browser):
    application, _lead = a_submitted()

    page = browser(staff()).get("/")

    assert first(page)[0][1] == f"{application.code} · {application.case.title}"
    assert first(page)[1] == application.get_absolute_url()


def test_staff_read_that_awards_wait_for_gpu_hours(browser):
    a_decision()
    a_decision()

    page = browser(staff()).get("/")

    assert first(page) == (
        ["2 accepted awards wait for their GPU-hours to be opened.", "Open them"],
        reverse("allocations:list"),
    )


def test_staff_for_whom_nothing_waits_read_that(browser):
    page = browser(staff()).get("/")

    assert first(page) == (["Nothing waits for you. New work appears here by itself."], None)


def test_a_funder_goes_to_the_figures(browser):
    funder = a_person(duty="funder", funder_code="state")

    page = browser(funder).get("/")

    assert first(page)[1] == reverse("reports:list")
    menu = re.findall(r'href="(/[a-z]+/)"', page.content.decode())
    assert reverse("cases:list") not in menu
    assert reverse("reports:list") in menu


def test_what_runs_and_what_ends_soon_is_shown(browser):
    lead = a_person()
    case = a_case(lead=lead, title="Grid")
    today = timezone.localdate()
    soon = an_allocation(case=case, ends_on=today + timedelta(days=12))
    later = an_allocation(case=case, ends_on=today + timedelta(days=60))
    run = a_run(allocation=soon, state="running")
    over = a_run(allocation=soon, state="succeeded")

    page = browser(lead).get("/").content.decode()

    assert run.get_absolute_url() in page
    assert f'href="{over.get_absolute_url()}"' not in page
    assert re.search(r"The GPU-hours of “Grid” end .*12 days", page)
    assert soon.get_absolute_url() in page
    assert f'href="{later.get_absolute_url()}"' not in page.partition("Your cases")[0]


def test_others_things_are_not_ones_own(browser):
    stranger = a_person()
    an_organisation(lead=stranger)
    allocation = an_allocation(case=a_case(title="Secret grid"))
    run = a_run(allocation=allocation, state="running")

    page = browser(stranger).get("/").content.decode()

    assert "Secret grid" not in page
    assert run.code not in page


@pytest.mark.parametrize("many", [1, 30])
def test_home_costs_the_same_for_one_and_thirty(browser, django_assert_num_queries, many):
    lead = a_person()
    organisation = an_organisation(lead=lead)
    for _ in range(many):
        case = a_case(lead=lead, organisation=organisation)
        a_run(allocation=an_allocation(case=case), state="running")
    client = browser(lead)

    with django_assert_num_queries(QUERIES):
        client.get("/")


@pytest.mark.parametrize("many", [1, 30])
def test_home_of_staff_costs_the_same_for_one_and_thirty(
    browser, django_assert_num_queries, many
):
    lead = a_person()
    organisation = an_organisation(lead=lead)
    for _ in range(many):
        a_submitted(case=a_case(lead=lead, organisation=organisation), lead=lead)
    client = browser(staff())

    with django_assert_num_queries(QUERIES_OF_STAFF):
        client.get("/")


def test_what_waits_for_a_signature_is_a_task_of_who_can_give_it(browser):
    ground = a_ground()
    made = agreements.ask(ground.proposal(), by=ground.asker)

    page = browser(ground.owner).get("/").text

    assert "waits for your signature" in page
    assert made.get_absolute_url() in page
    for other in (ground.clerk, ground.asker, ground.colleague, staff()):
        assert "waits for your signature" not in browser(other).get("/").text


def test_a_result_that_waits_for_a_look_is_a_task_of_who_lent_the_data(browser):
    ground = a_ground()
    agreement = an_agreement(ground.repository, ground.case, duties=["review"])
    result = passed_on(a_dataset().repository, agreement, needs_review=True)

    page = browser(ground.owner).get("/").text

    assert "waits for your look" in page
    assert f"/data/reviews/{result.pk}/" in page
    for other in (ground.clerk, ground.asker, staff()):
        assert "waits for your look" not in browser(other).get("/").text


def test_a_question_is_a_task_of_the_other_side_until_it_is_answered(browser):
    ground = a_ground()
    made = agreements.ask(ground.proposal(), by=ground.asker)
    agreements.say(made, "What will you measure?", by=ground.owner)
    wrote = "The other side wrote to you"

    for theirs in (ground.asker, ground.colleague):
        assert wrote in browser(theirs).get("/").text
    for other in (ground.owner, ground.clerk, staff(), a_person()):
        assert wrote not in browser(other).get("/").text

    agreements.say(made, "How urgent they are.", by=ground.colleague)
    assert wrote not in browser(ground.asker).get("/").text
    assert wrote in browser(ground.clerk).get("/").text


def test_the_page_of_a_firm_says_what_comes_next_for_its_own_cases(browser):
    lead = a_person()
    ours = an_organisation(lead=lead)
    other = an_organisation(lead=lead)
    a_case(lead=lead, organisation=other, title="Of another firm")
    client = browser(lead)
    assert first(client.get(ours.get_absolute_url()))[1] == reverse("cases:new")

    looked_at = a_case(lead=lead, organisation=ours, title="Being looked at")
    an_application(case=looked_at, state=ApplicationState.SUBMITTED)
    waiting = a_case(lead=lead, organisation=ours, title="Waits for you")

    words, link = first(client.get(ours.get_absolute_url()))
    assert words[1:3] == ["Waits for you", "Get advice"]
    assert link == reverse("cases:intake", args=[waiting.code])
    for person in (staff(), a_person()):
        assert "Waits for you" not in browser(person).get(ours.get_absolute_url()).text


def test_the_page_of_a_partner_leads_to_the_case_that_it_joined(browser):
    lead = a_person()
    case = a_case(title="Grid")
    ours = a_partner(case, organisation=an_organisation(lead=lead)).organisation

    words, link = first(browser(lead).get(ours.get_absolute_url()))

    assert words[1:3] == ["Grid", "Look at the case"]
    assert link == case.get_absolute_url()


def test_both_sides_read_that_an_agreement_was_revoked_and_what_to_do(browser):
    ground = a_ground()
    terms = some_terms(place=Place.OPEN)
    made = agreements.offer(ground.proposal(terms=terms), by=ground.owner)
    made = agreements.sign(made, by=ground.asker, text_sha256=made.text_sha256)
    agreements.revoke(made, by=ground.owner, reason="Misused.")
    owners, users = (ground.owner, ground.clerk), (ground.asker, ground.colleague)

    for person in users:
        assert "not the copies that you downloaded" in browser(person).get("/").text
    for person in owners:
        assert "states here what it did" in browser(person).get("/").text
    for person in (staff(), a_person()):
        assert "revoked the agreement" not in browser(person).get("/").text

    Statement.objects.create(agreement=made, facts={}, sha256="", seal="")
    assert first(browser(ground.owner).get("/"))[1] == f"/data/statements/{made.code}/"
    agreements.ask(ground.proposal(), by=ground.asker)
    assert "revoked the agreement" not in browser(ground.asker).get("/").text


def test_what_was_revoked_long_ago_is_told_no_more(browser):
    ground = a_ground()
    over_at = timezone.now() - timedelta(days=15)
    an_agreement(ground.repository, ground.case, state="revoked", over_at=over_at)

    assert "revoked the agreement" not in browser(ground.asker).get("/").text


def test_first_things_are_none_when_nothing_can_be_done():
    person = staff()

    assert list(views.first_things(person, queries.tasks(person), [])) == []


def test_terms_are_at_the_foot_of_every_page(client, settings):
    """The forms say so, and ask to accept them."""
    assert 'href="/terms"' in client.get("/").content.decode()
    assert client.get("/terms").status_code == 200

    settings.TERMS_URL = "https://factory.example/terms"

    assert 'href="https://factory.example/terms"' in client.get("/").content.decode()

"""The pages of access, as a browser meets them."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from fabriek.access import actions
from fabriek.access.models import Application, Assessment
from fabriek.access.states import ApplicationState
from fabriek.cases.models import Intake
from tests.access.worlds import (
    a_draft,
    a_feasible,
    a_reviewed_mode,
    a_seeded_mode,
    a_submitted,
    an_awarded,
    an_eligible,
    write_all,
)
from tests.factories import a_case, a_person, an_application, an_assessor, staff

pytestmark = pytest.mark.django_db
S = ApplicationState
TUESDAY = datetime(2026, 11, 24, 13, 3, tzinfo=UTC)
HTMX = {"HX-Request": "true"}


def url(application, rest=""):
    return f"/applications/{application.code}/{rest}"


def shown(page):
    """Give the words of a page as a reader has them, signs and line ends aside."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text)).replace(" .", ".")


# --- who sees what -----------------------------------------------------------------------
def test_pages_ask_to_sign_in(client):
    application, _ = a_draft()

    for address in ("/applications/", "/applications/new", url(application)):
        page = client.get(address)
        assert page.status_code == 302
        assert page["Location"].startswith("/accounts/login/")


def test_an_application_of_others_does_not_exist(browser):
    application, _ = a_draft(mode=a_seeded_mode())

    for rest in ("", "sections/project", "submit", "withdraw"):
        assert browser(a_person()).get(url(application, rest)).status_code == 404


def test_staff_see_no_draft_of_others(browser):
    application, _ = a_draft()

    assert browser(staff()).get(url(application)).status_code == 404


# --- modes and advice --------------------------------------------------------------------
def test_the_modes_say_for_whom_how_much_and_how_fast(browser):
    lead = a_person()
    a_case(lead=lead)
    a_seeded_mode()

    words = shown(browser(lead).get("/applications/new"))

    assert "5,000 GPU-hours" in words
    assert "answer within 2 working days" in words
    assert words.count("Start the application") == 6


def test_the_start_button_starts(browser):
    lead = a_person()
    case = a_case(lead=lead)
    mode = a_seeded_mode()

    page = browser(lead).post("/applications/new", {"case": case.code, "mode": mode.code})

    assert page["Location"] == Application.objects.get().get_absolute_url()


def test_starting_for_a_case_of_others_finds_nothing(browser):
    case, mode = a_case(), a_seeded_mode()

    page = browser(a_person()).post("/applications/new", {"case": case.code, "mode": mode.code})

    assert page.status_code == 404
    assert not Application.objects.exists()


def test_advice_names_the_mode_that_fits_and_why_not_the_others(browser):
    lead = a_person()
    case = a_case(lead=lead)
    a_seeded_mode()
    Intake.objects.create(
        case=case, purpose="try", experience="none", gpu_hours_guess=400, months=2
    )

    words = shown(browser(lead).get(f"/applications/advice/{case.code}"))

    assert "“Playground” fits your case best." in words
    assert "It asks for experience with a supercomputer, which you do not have yet." in words


def test_advice_without_answers_asks_for_them(browser):
    lead = a_person()
    case = a_case(lead=lead)
    a_seeded_mode()

    words = shown(browser(lead).get(f"/applications/advice/{case.code}"))

    assert "Answer five short questions first" in words


# --- writing -----------------------------------------------------------------------------
def test_a_draft_leads_to_its_first_unfinished_section(browser):
    application, lead = a_draft(mode=a_seeded_mode())

    page = browser(lead).get(url(application))

    assert f'href="{url(application, "sections/project")}">Go on writing' in page.text
    assert "2 questions to do" in page.text


def test_a_complete_draft_leads_to_submitting(browser):
    application, lead = a_draft(mode=a_seeded_mode())
    write_all(application, by=lead)

    page = browser(lead).get(url(application))

    assert f'href="{url(application, "submit")}">Check and submit' in page.text
    assert "Go on writing" not in page.text


def test_the_plain_button_saves_and_goes_on(browser):
    application, lead = a_draft(mode=a_seeded_mode())
    typed = {"version_read": "0", "title": "", "result": "Almost", "onward": "yes"}

    with time_machine.travel(TUESDAY, tick=False):
        page = browser(lead).post(url(application, "sections/project"), typed, follow=True)

    assert page.redirect_chain == [(url(application, "sections/data"), 302)]
    assert "Saved at 14:03." in page.text
    assert application.answers.get(section="project").values["result"] == "Almost"


def test_autosave_answers_with_the_next_version_only(browser):
    application, lead = a_draft(mode=a_seeded_mode())
    visitor = browser(lead)

    for version, text in enumerate(["An hour", "An hour of typing"]):
        page = visitor.post(
            url(application, "sections/project"),
            {"version_read": version, "result": text},
            headers=HTMX,
        )

    assert page.status_code == 200
    assert 'name="version_read" value="2"' in page.text
    assert "<h1" not in page.text
    assert application.answers.get(section="project").values["result"] == "An hour of typing"


def test_too_long_and_unfinished_is_kept_and_said_on_asking(browser):
    application, lead = a_draft(mode=a_seeded_mode())
    visitor, long = browser(lead), "x" * 121
    visitor.post(url(application, "sections/project"), {"version_read": "0", "title": long})

    calm = visitor.get(url(application, "sections/project"))
    checked = visitor.get(url(application, "sections/project?check"))

    assert long in calm.text
    assert "field__error" not in calm.text
    assert "This text has 121 characters; at most 120 fit." in checked.text
    assert 'href="#id_title"' in checked.text


def test_the_later_of_two_who_type_sees_both_texts_and_keeps_their_own(browser):
    application, lead = a_draft(mode=a_seeded_mode())
    colleague = a_person(name="Anke")
    application.case.organisation.memberships.create(person=colleague, role="member")
    address = url(application, "sections/project")
    browser(colleague).post(address, {"version_read": "0", "result": "Text of Anke"})

    page = browser(lead).post(address, {"version_read": "0", "result": "My own text"})

    assert page.status_code == 409
    assert "Anke saved this section" in page.text
    assert "Saved: Text of Anke" in shown(page)
    assert "You typed: My own text" in shown(page)
    assert ">\nMy own text</textarea>" in page.text
    assert application.answers.get(section="project").values["result"] == "Text of Anke"
    again = browser(lead).post(address, {"version_read": "1", "result": "My own text"})
    assert again.status_code == 302
    assert application.answers.get(section="project").values["result"] == "My own text"


def test_typing_on_in_what_a_colleague_submitted_keeps_the_text_on_the_page(browser):
    application, lead = a_draft(mode=a_seeded_mode())
    write_all(application, by=lead)
    actions.submit(application, by=lead)

    page = browser(lead).post(
        url(application, "sections/project"), {"version_read": "1", "result": "Too late"}
    )

    assert page.status_code == 409
    assert ">\nToo late</textarea>" in page.text
    assert "so its answers no longer change" in page.text
    assert application.answers.get(section="project").values["result"] != "Too late"


def test_an_ended_session_answers_401_and_the_text_is_there_after_signing_in(client):
    application, lead = a_draft(mode=a_seeded_mode())
    address, typed = url(application, "sections/project"), {"result": "An hour of typing"}

    page = client.post(address, typed | {"version_read": "0"}, headers=HTMX)
    client.force_login(lead, backend="allauth.account.auth_backends.AuthenticationBackend")
    again = client.get(address, headers={"Accept-Language": "en"})

    assert page.status_code == 401
    assert f'href="/accounts/login/?next={address}"' in page.text
    assert ">\nAn hour of typing</textarea>" in again.text
    assert "You were signed out while you typed." in again.text
    client.post(address, typed | {"version_read": "0"})
    assert application.answers.get(section="project").values["result"] == "An hour of typing"
    assert "signed out" not in client.get(address, headers={"Accept-Language": "en"}).text


def test_without_javascript_an_ended_session_leads_to_signing_in_and_back(client):
    application, lead = a_draft(mode=a_seeded_mode())
    address = url(application, "sections/project")

    page = client.post(address, {"version_read": "0", "result": "An hour"})
    client.force_login(lead, backend="allauth.account.auth_backends.AuthenticationBackend")

    assert page["Location"] == f"/accounts/login/?next={address}"
    assert ">\nAn hour</textarea>" in client.get(address).text


def test_more_than_a_session_holds_is_not_promised_to_wait(client):
    application, _ = a_draft(mode=a_seeded_mode())

    page = client.post(
        url(application, "sections/project"),
        {"result": "x" * 100_001},
        headers=HTMX | {"Accept-Language": "en"},
    )

    assert page.status_code == 401
    assert "Copy what you typed" in page.text
    assert "typed_while_signed_out" not in client.session


@pytest.mark.parametrize("version", ["", "-1", "abc", "1" * 40, "²"])
def test_a_strange_version_is_an_old_one(browser, version):
    application, lead = a_draft(mode=a_seeded_mode())

    page = browser(lead).post(
        url(application, "sections/project"), {"version_read": version, "result": "x"}
    )

    assert page.status_code == 409
    assert "result" not in application.answers.get(section="project").values


def test_an_unknown_section_does_not_exist(browser):
    application, lead = a_draft(mode=a_seeded_mode())

    assert browser(lead).get(url(application, "sections/nothing")).status_code == 404


# --- submitting --------------------------------------------------------------------------
def test_an_unfinished_application_links_to_each_answer(browser):
    application, lead = a_draft(mode=a_seeded_mode())

    page = browser(lead).post(url(application, "submit"))

    assert page.status_code == 422
    assert f"{url(application, 'sections/project')}?check#id_approach" in page.text
    assert f"{url(application, 'sections/data')}?check#id_personal_data_0" in page.text
    application.refresh_from_db()
    assert application.state == S.DRAFT


def test_conditions_are_shown_before_submitting(browser):
    lead = a_person()
    case = a_case(lead=lead)
    case.organisation.country, case.organisation.kind = "US", "public"
    case.organisation.save()
    application, _ = a_draft(mode=a_seeded_mode(), case=case, lead=lead)

    words = shown(browser(lead).get(url(application, "submit")))

    assert (
        "look at this This access mode is for: small or medium-sized enterprise, startup"
        in words
    )
    assert f"Not in the European Union or an associated country: {case.organisation}" in words


def test_submitting_shows_the_clock(browser):
    application, lead = a_draft(mode=a_seeded_mode())
    write_all(application, by=lead)

    with time_machine.travel(TUESDAY, tick=False):
        page = browser(lead).post(url(application, "submit"), follow=True)

    assert page.redirect_chain == [(url(application), 302)]
    assert "2 working days left: an answer comes before 26 November 2026, 17:00." in page.text


def test_withdrawing_asks_first(browser):
    application, lead = a_submitted()
    visitor = browser(lead)

    asked = visitor.get(url(application, "withdraw"))
    application.refresh_from_db()
    before = application.state
    visitor.post(url(application, "withdraw"))
    application.refresh_from_db()

    assert "Withdraw this application?" in asked.text
    assert (before, application.state) == (S.SUBMITTED, S.WITHDRAWN)


def test_an_award_shows_its_reasons_and_is_accepted_with_one_press(browser):
    application, lead = an_awarded()
    visitor = browser(lead)

    words = shown(visitor.get(url(application)))
    visitor.post(url(application, "accept"))
    application.refresh_from_db()

    assert "1 GPU-hours, for 3 months" in words
    assert "Do you disagree with this decision?" in words
    assert application.state == S.ACCEPTED


def test_a_press_needs_a_post(browser):
    application, lead = an_awarded()

    assert browser(lead).get(url(application, "accept")).status_code == 405
    assert browser(lead).get(url(application, "nothing")).status_code == 404


# --- judging -----------------------------------------------------------------------------
def test_staff_check_eligibility_beside_the_answers(browser):
    application, _ = a_submitted(goal="Nine in ten right")
    visitor = browser(staff())

    page = visitor.get(url(application))
    visitor.post(url(application, "find_eligible"), {"find_eligible-remarks": ""})
    application.refresh_from_db()

    assert "Nine in ten right" in page.text
    assert 'data-check="country"' in page.text
    assert application.state == S.ELIGIBLE


def test_an_assessor_finds_the_plan_feasible(browser):
    application, _ = an_eligible()

    browser(an_assessor()).post(
        url(application, "technical"),
        {"technical-is_positive": "yes", "technical-remarks": "It will run."},
    )

    application.refresh_from_db()
    assert application.state == S.FEASIBLE


def test_no_without_a_reason_comes_back_with_what_was_chosen(browser):
    application, _ = an_eligible()

    page = browser(an_assessor()).post(
        url(application, "technical"), {"technical-is_positive": "no", "technical-remarks": ""}
    )

    assert page.status_code == 422
    assert "Say why, in words the applicant can use." in page.text
    assert re.search(r'value="no"[^>]*checked', page.text)
    assert not Assessment.objects.filter(step="technical").exists()


def test_an_assessor_scores_each_criterion(browser):
    application, _ = a_feasible(mode=a_reviewed_mode())

    browser(an_assessor()).post(
        url(application, "review"),
        {
            "review-impact": "4",
            "review-excellence": "3",
            "review-implementation": "5",
            "review-remarks": "Clear.",
        },
    )

    given = Assessment.objects.get(step="review")
    assert given.scores == {"impact": 4, "excellence": 3, "implementation": 5}


def test_the_applicant_reads_the_technical_finding_but_no_review(browser):
    application, lead = a_feasible(mode=a_reviewed_mode())
    actions.assess(
        application,
        step="review",
        by=an_assessor(),
        scores={"impact": 1, "excellence": 1, "implementation": 1},
        remarks="Only for colleagues.",
    )

    applicant = shown(browser(lead).get(url(application)))
    colleague = shown(browser(staff()).get(url(application)))

    assert "It will run." in applicant
    assert "Only for colleagues." not in applicant
    assert "Only for colleagues." in colleague


def test_a_decision_with_a_mistake_keeps_the_reasons_typed(browser):
    application, _ = a_feasible()

    page = browser(staff()).post(
        url(application, "award"),
        {"award-gpu_hours": "9999999", "award-months": "3", "award-reasons": "A fine plan."},
    )

    assert page.status_code == 422
    assert ">\nA fine plan.</textarea>" in page.text
    application.refresh_from_db()
    assert application.state == S.FEASIBLE


def test_staff_award(browser):
    application, _ = a_feasible()

    browser(staff()).post(
        url(application, "award"),
        {"award-gpu_hours": "1", "award-months": "3", "award-reasons": "A fine plan."},
    )

    application.refresh_from_db()
    assert (application.state, application.decision.gpu_hours) == (S.AWARDED, 1)


@pytest.mark.parametrize(("typed", "language"), [("5.000", "en"), ("5,000", "nl")])
def test_an_award_typed_in_one_language_and_sent_in_the_other_is_the_same(
    browser, typed, language
):
    application, _ = a_feasible()
    application.gpu_hours_asked = 6000
    application.save()

    browser(staff(), language=language).post(
        url(application, "award"),
        {"award-gpu_hours": typed, "award-months": "3", "award-reasons": "A fine plan."},
    )

    application.refresh_from_db()
    assert (application.state, application.decision.gpu_hours) == (S.AWARDED, 5000)


def test_a_colleague_who_decided_first_is_a_sentence(browser):
    application, _ = a_feasible()
    actions.refuse(application, by=staff(), reasons="Vague.")

    page = browser(staff()).post(
        url(application, "award"),
        {"award-gpu_hours": "1", "award-months": "3", "award-reasons": "Fine."},
        headers=HTMX,
    )

    assert page.status_code == 409
    assert "stands at “refused”" in page.text


# --- lists -------------------------------------------------------------------------------
def test_late_ones_are_marked_and_stand_first(browser):
    late = an_application(state=S.SUBMITTED, due_at=timezone.now() - timedelta(days=14))
    soon = an_application(state=S.ELIGIBLE, due_at=timezone.now() + timedelta(days=14))
    an_application(state=S.REFUSED, due_at=timezone.now() - timedelta(days=90))

    page = browser(staff()).get("/applications/")

    assert page.text.index(late.code) < page.text.index(soon.code)
    assert page.text.count("state--overdue") == 1


@pytest.mark.parametrize(
    ("asked", "found"),
    [("state=eligible", 1), ("mode=other", 0), ("q=nobody", 0), ("q=%00", 2)],
)
def test_the_list_filters_by_the_address(browser, asked, found):
    an_application(state=S.SUBMITTED)
    an_application(state=S.ELIGIBLE)

    page = browser(staff()).get(f"/applications/?{asked}")

    assert page.status_code == 200
    assert page.text.count('<th scope="row">') == found


def test_an_empty_list_is_a_first_step(browser):
    page = browser(a_person()).get("/applications/")

    assert "There are no applications yet." in page.text
    assert 'href="/applications/new"' in page.text


# A first page that holds all needs no counting.
@pytest.mark.parametrize(("many", "counting"), [(1, 0), (30, 1)])
def test_the_list_costs_the_same_queries_for_any_number(
    browser, many, counting, django_assert_num_queries
):
    for _ in range(many):
        application = an_application(state=S.SUBMITTED, due_at=timezone.now())
        Assessment.objects.create(
            application=application, step="technical", by=staff(), is_positive=True
        )
    visitor = browser(staff())

    with django_assert_num_queries(6 + counting):
        visitor.get("/applications/")


@pytest.mark.parametrize("many", [1, 30])
def test_a_page_costs_the_same_queries_however_much_is_on_it(
    browser, many, django_assert_num_queries
):
    application, _ = a_feasible(mode=a_reviewed_mode())
    for _ in range(many):
        actions.assess(
            application,
            step="review",
            by=an_assessor(),
            scores={"impact": 4, "excellence": 4, "implementation": 4},
            remarks="Clear.",
        )
    visitor = browser(staff())

    with django_assert_num_queries(10):
        visitor.get(url(application))


@pytest.mark.parametrize("many", [1, 30])
def test_the_modes_cost_the_same_queries_for_any_number_of_cases(
    browser, many, django_assert_num_queries
):
    lead = a_person()
    first = a_case(lead=lead)
    for _ in range(many - 1):
        a_case(lead=lead, organisation=first.organisation)
    a_seeded_mode()
    visitor = browser(lead)

    with django_assert_num_queries(6):
        visitor.get("/applications/new")


def test_a_section_page_is_cheap(browser, django_assert_num_queries):
    application, lead = a_draft(mode=a_seeded_mode())
    visitor = browser(lead)

    with django_assert_num_queries(7):
        visitor.get(url(application, "sections/project"))

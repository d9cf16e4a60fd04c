"""Pages of GPU-hours, as applicants and staff meet them."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from fabriek.allocations import actions
from fabriek.allocations.models import Allocation, Grant
from fabriek.kernel import words
from tests.allocations.making import (
    HOUR,
    a_case,
    a_decision,
    a_person,
    a_share,
    an_allocation,
    staff,
    staff_in,
)

pytestmark = pytest.mark.django_db
LIST = "/allocations/"
FAR_DAYS = ["0001-01-01", "2020-01-01", "9998-12-31", "9999-12-31"]


def url(allocation):
    return f"/allocations/{allocation.account}/"


def text(response):
    words = re.sub(r"<[^>]+>", " ", response.content.decode())
    return " ".join(words.split())


def test_who_is_not_signed_in_is_asked_to(client):
    for address in (LIST, url(an_allocation())):
        assert client.get(address).url == f"/accounts/login/?next={address}"


def test_applicants_see_their_own_gpu_hours_and_staff_all(browser):
    lead = a_person()
    ours, theirs = an_allocation(case=a_case(lead=lead)), an_allocation()

    assert list(browser(lead).get(LIST).context["page"].items) == [ours]
    assert set(browser(staff()).get(LIST).context["page"].items) == {ours, theirs}


def test_an_empty_list_says_how_one_gets_gpu_hours(browser):
    page = text(browser(a_person()).get(LIST))

    assert "You have no GPU-hours yet." in page
    assert "Go to your cases" in page


def test_staff_find_awards_that_wait_on_top_and_applicants_do_not(browser):
    decision = a_decision()
    code = decision.application.code

    page = browser(staff()).get(LIST)

    assert [one.application.code for one in page.context["waiting"]] == [code]
    assert f'href="/allocations/awards/{code}/"' in page.content.decode()
    assert browser(decision.application.case.created_by).get(LIST).context["waiting"] == []


def test_the_list_searches_by_words_and_by_what_can_be_used_now(browser):
    found = an_allocation(case=a_case(title="Tulips"))
    gone = an_allocation(starts_on="2020-01-01", ends_on="2020-02-01")
    seen = browser(staff())

    def shown(query):
        return list(seen.get(LIST + query).context["page"].items)

    assert shown("?q=tulips") == [found]
    assert shown(f"?q={gone.account}") == [gone]
    assert shown("?state=open") == [found]
    assert shown("?state=ended") == [gone]
    assert shown("?sort=account") == sorted([found, gone], key=lambda one: one.account)
    assert shown("?q=%00none") == []


def test_a_page_tells_what_is_left_and_how_it_changed(browser):
    lead = a_person()
    allocation = an_allocation(case=a_case(lead=lead), gpu_seconds=10 * HOUR)
    actions.hold(allocation, run_key="a", gpu_seconds=6 * HOUR)
    actions.settle(allocation, run_key="a", gpu_seconds_used=2 * HOUR)

    response = browser(lead).get(url(allocation))

    assert [(what, hours) for _line, what, _note, hours in response.context["lines"]] == [
        ("Used by a run", "−2"),
        ("Set aside no longer: the run is over", "+6"),
        ("Set aside for a run", "−6"),
        ("GPU-hours granted", "+10"),
    ]
    assert "8 left of 10 GPU-hours" in text(response)


def test_the_next_step_of_an_applicant_is_a_run_and_of_staff_more_time(browser):
    lead = a_person()
    case = a_case(lead=lead)
    allocation = an_allocation(case=case)

    def steps(person):
        return [
            (s.name, s.url) for s in browser(person).get(url(allocation)).context["next_steps"]
        ]

    assert steps(lead) == [("run", f"{reverse('runs:new')}?case={case.code}")]
    assert steps(staff()) == [("extend", f"/allocations/{allocation.account}/extend")]
    assert steps(a_person(duty="assessor")) == []
    assert [name for name, _ in steps(staff_in(case.organisation))] == ["run"]


@pytest.mark.parametrize(
    "change",
    [{"ends_on": "2020-02-01", "starts_on": "2020-01-01"}, {"gpu_seconds_spent": 36_000}],
)
def test_no_run_is_offered_when_nothing_can_be_used(browser, change):
    lead = a_person()
    allocation = an_allocation(case=a_case(lead=lead), **change)

    assert browser(lead).get(url(allocation)).context["next_steps"] == []


def test_gpu_hours_of_others_do_not_exist(browser):
    allocation = an_allocation()

    for stranger in (a_person(), a_person(duty="funder", funder_code="state")):
        assert browser(stranger).get(url(allocation)).status_code == 404
        assert browser(stranger).get(url(allocation) + "extend").status_code == 404


def test_staff_open_an_award_with_a_form_that_tells_the_room_for_aid(browser):
    share = a_share(tariff_eur_cents=300, aid_ceiling_eur_cents=20_000_00)
    a_share("eu", is_state_aid=False, aid_ceiling_eur_cents=None)
    decision = a_decision(gpu_hours=5000)
    address = f"/allocations/awards/{decision.application.code}/"
    seen = browser(staff())

    page = text(seen.get(address))
    answer = seen.post(address, {"share": "nl", "starts_on": str(timezone.localdate())})

    assert (
        "This is state aid of €15,000.00; this undertaking may get €20,000.00 in these three "
        "years." in page
    )
    assert "This is no state aid." in page
    made = Allocation.objects.get()
    assert answer.url == url(made)
    assert made.grants.get().share == share
    assert seen.get(address).url == url(made)


def test_a_share_without_room_says_so_before_it_is_chosen(browser):
    a_share(tariff_eur_cents=300, aid_ceiling_eur_cents=10_000_00)
    decision = a_decision(gpu_hours=5000)
    address = f"/allocations/awards/{decision.application.code}/"
    seen = browser(staff())

    assert "This cannot be chosen: it is state aid of €15,000.00" in text(seen.get(address))
    refused = seen.post(address, {"share": "nl", "starts_on": str(timezone.localdate())})

    assert refused.status_code == 409
    assert not Allocation.objects.exists()


def test_a_grant_form_without_a_share_says_what_is_missing(browser):
    decision = a_decision()

    answer = browser(staff()).post(
        f"/allocations/awards/{decision.application.code}/", {"starts_on": "no day"}
    )

    assert sorted(answer.context["form"].errors) == ["share", "starts_on"]
    assert not Allocation.objects.exists()


def test_only_staff_see_the_form_that_opens_an_award(browser):
    decision = a_decision()
    address = f"/allocations/awards/{decision.application.code}/"

    assert browser(decision.application.case.created_by).get(address).status_code == 403
    assert browser(staff()).get("/allocations/awards/none/").status_code == 404


def test_staff_give_more_time(browser):
    allocation = an_allocation()
    a_share("eu")
    day = timezone.localdate() + timedelta(days=200)

    answer = browser(staff()).post(
        url(allocation) + "extend", {"ends_on": str(day), "share": "eu", "gpu_hours": "5"}
    )

    assert answer.url == url(allocation)
    allocation.refresh_from_db()
    assert allocation.ends_on == day
    assert Grant.objects.filter(share__code="eu").get().gpu_seconds == 5 * HOUR


@pytest.mark.parametrize(("typed", "language"), [("5.000", "en"), ("5,000", "nl")])
def test_gpu_hours_to_add_are_read_alike_in_both_languages(browser, typed, language):
    allocation = an_allocation()
    a_share("eu", is_state_aid=False, aid_ceiling_eur_cents=None)
    day = str(timezone.localdate() + timedelta(days=200))

    browser(staff(), language=language).post(
        url(allocation) + "extend", {"ends_on": day, "share": "eu", "gpu_hours": typed}
    )

    assert Grant.objects.filter(share__code="eu").get().gpu_seconds == 5000 * HOUR


@pytest.mark.parametrize("day", FAR_DAYS)
def test_a_day_far_away_is_refused_on_the_page(browser, day):
    a_share()
    decision, allocation = a_decision(), an_allocation()
    seen = browser(staff())

    granted = seen.post(
        f"/allocations/awards/{decision.application.code}/", {"share": "nl", "starts_on": day}
    )
    extended = seen.post(url(allocation) + "extend", {"ends_on": day})

    assert (granted.status_code, extended.status_code) == (422, 422)
    assert list(Allocation.objects.all()) == [allocation]


def test_gpu_hours_that_start_later_are_said_to_be_used_from_that_day_on(browser):
    a_share()
    lead, granter = a_person(), staff()
    decision = a_decision(case=a_case(lead=lead))
    day = timezone.localdate() + timedelta(days=40)
    said = f"can be used from {words.day(day)} on."

    opened = browser(granter).post(
        f"/allocations/awards/{decision.application.code}/",
        {"share": "nl", "starts_on": str(day)},
        follow=True,
    )
    page = text(browser(lead).get(url(Allocation.objects.get())))
    listed = text(browser(lead).get(LIST))

    assert f"The GPU-hours {said} The organisation is told." in text(opened)
    assert f"These GPU-hours {said.replace(' on.', '')}" in page
    assert "Until then no run can start." in page
    assert "not yet" in page
    assert f"Your newest GPU-hours {said.replace(' on.', '')}" in listed


def test_giving_more_time_shows_the_form_and_refuses_strangers(browser):
    lead = a_person()
    allocation = an_allocation(case=a_case(lead=lead))

    assert browser(staff()).get(url(allocation) + "extend").status_code == 200
    assert browser(lead).get(url(allocation) + "extend").status_code == 403


# A first page that holds all needs no counting.
@pytest.mark.parametrize(("many", "counting"), [(1, 0), (30, 1)])
def test_the_list_costs_the_same_for_few_and_many(
    browser, django_assert_num_queries, many, counting
):
    seen = browser(staff())
    for _ in range(many):
        an_allocation()
        a_decision()

    with django_assert_num_queries(5 + counting):
        seen.get(LIST)


# A first page that holds all needs no counting.
@pytest.mark.parametrize(("many", "counting"), [(1, 0), (30, 1)])
def test_a_page_costs_the_same_for_few_and_many_lines(
    browser, django_assert_num_queries, many, counting
):
    lead = a_person()
    allocation = an_allocation(case=a_case(lead=lead), gpu_seconds=1000)
    for number in range(many):
        actions.hold(allocation, run_key=f"run{number}", gpu_seconds=1)
    seen = browser(lead)

    with django_assert_num_queries(8 + counting):
        seen.get(url(allocation))


def test_a_long_ledger_comes_in_pages(browser):
    lead = a_person()
    allocation = an_allocation(case=a_case(lead=lead), gpu_seconds=1000)
    for number in range(25):
        actions.hold(allocation, run_key=f"run{number}", gpu_seconds=1)

    last = browser(lead).get(url(allocation) + "?page=2")

    assert [line.kind for line, _, _, _ in last.context["lines"]] == ["grant"]

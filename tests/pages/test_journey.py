"""Where a case stands on its way, and what its people do next."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from fabriek.access.states import ApplicationState
from fabriek.cases.models import Intake
from fabriek.kernel import words
from fabriek.pages import journey
from tests.factories import (
    a_case,
    a_dataset,
    a_model,
    a_partner,
    a_person,
    a_run,
    an_allocation,
    an_application,
    an_organisation,
    staff,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def lead():
    return a_person()


@pytest.fixture
def case(lead):
    return a_case(lead=lead)


def intake(case):
    Intake.objects.create(case=case, purpose="try", experience="none", months=3)


def statuses(case, person, current="case"):
    line = journey.stations(case, journey.way(case, person), current=current)
    return [station.status for station in line]


def step(case, person):
    found = journey.next_steps(case, journey.way(case, person), person)
    return (found[0].name, found[0].url) if found else None


def test_a_draft_is_at_its_beginning(lead):
    case = a_case(lead=lead, state="draft", proposed_at=None)

    assert statuses(case, lead, "access") == ["todo", "current", *["todo"] * 4]
    assert step(case, lead) is None


def test_every_station_is_done_when_its_thing_is_there(case, lead):
    allocation = an_allocation(case=case)
    a_dataset(case=case)
    a_run(allocation=allocation)
    a_model(case=case)

    assert statuses(case, lead, "runs") == ["done", "done", "done", "done", "current", "done"]


def test_stations_lead_to_the_things_themselves(case, lead):
    allocation = an_allocation(case=case)
    run = a_run(allocation=allocation)
    model = a_model(case=case)

    line = journey.stations(case, journey.way(case, lead), current="case")

    urls = {str(station.label): station.url for station in line}
    assert urls["Case"] == case.get_absolute_url()
    assert urls["GPU-hours"] == allocation.get_absolute_url()
    assert urls["Model"] == model.get_absolute_url()
    assert urls["Data"] == f"{reverse('datasets:new')}?case={case.code}"
    assert run.case == case


def test_for_others_data_and_models_are_no_links(case):
    a_dataset(case=case)
    a_model(case=case)

    line = journey.stations(case, journey.way(case, staff()), current="case")

    assert [station.url for station in line if station.label in {"Data", "Model"}] == ["", ""]


def test_first_comes_the_intake_then_the_advice(case, lead):
    before = step(case, lead)
    intake(case)

    assert before == ("intake", reverse("cases:intake", args=[case.code]))
    assert step(case, lead) == ("apply", reverse("access:advice", args=[case.code]))


@pytest.mark.parametrize(
    ("state", "name"),
    [
        (ApplicationState.DRAFT, "continue"),
        (ApplicationState.SUBMITTED, "follow"),
        (ApplicationState.REVIEWED, "follow"),
        (ApplicationState.AWARDED, "answer"),
        (ApplicationState.ACCEPTED, "wait"),
        (ApplicationState.REFUSED, "read"),
        (ApplicationState.DECLINED, "read"),
    ],
)
def test_an_application_is_followed_to_its_end(case, lead, state, name):
    application = an_application(case=case, state=state)

    assert step(case, lead) == (name, application.get_absolute_url())


def test_a_withdrawn_application_is_as_none(case, lead):
    an_application(case=case, state=ApplicationState.WITHDRAWN)

    assert step(case, lead)[0] == "intake"


def test_with_gpu_hours_come_data_runs_and_the_model(case, lead):
    allocation = an_allocation(case=case)
    said = [step(case, lead)[0]]
    a_dataset(case=case)
    said.append(step(case, lead)[0])
    run = a_run(allocation=allocation, state="running")
    said.append(step(case, lead)[0])
    type(run).objects.update(state="failed")
    said.append(step(case, lead))
    a_model(case=case)
    said.append(step(case, lead)[0])

    assert said == ["data", "run", "look", ("look", run.get_absolute_url()), "model"]


def test_before_the_first_day_no_run_is_proposed(case, lead):
    first = timezone.localdate() + timedelta(days=40)
    allocation = an_allocation(case=case, starts_on=first)
    said = f"Your GPU-hours can be used from {words.day(first)} on."

    def shown():
        found = journey.next_steps(case, journey.way(case, lead), lead)[0]
        return found.name, found.url, str(found.sentence)

    assert shown() == (
        "data",
        f"/data/new/?case={case.code}",
        f"{said} Add the data before.",
    )

    a_dataset(case=case)

    assert shown() == ("wait", allocation.get_absolute_url(), f"{said} Your data is here.")


def test_gpu_hours_that_start_later_do_not_hide_those_of_now(case, lead):
    an_allocation(case=case)
    an_allocation(case=case, starts_on=timezone.localdate() + timedelta(days=40))
    a_dataset(case=case)

    assert step(case, lead) == ("run", f"/runs/new?case={case.code}")


def test_a_partner_has_no_part_in_the_application_but_in_the_work(case):
    partner = a_person()
    ours = an_organisation(lead=partner, kind="knowledge")
    a_partner(case, organisation=ours)
    before = step(case, partner)
    an_allocation(case=case)

    assert before is None
    assert step(case, partner)[0] == "data"


def test_who_is_no_part_has_no_step(case):
    assert step(case, staff()) is None
    assert step(case, a_person()) is None


def test_a_closed_case_has_no_step(lead):
    assert step(a_case(lead=lead, state="closed"), lead) is None


@pytest.mark.parametrize("many", [1, 30])
def test_the_ways_of_many_cases_are_one_query(lead, django_assert_num_queries, many):
    organisation = an_organisation(lead=lead)
    cases = [a_case(lead=lead, organisation=organisation) for _ in range(many)]
    an_application(case=cases[0])

    with django_assert_num_queries(1):
        found = {case: journey.way_of_own(case) for case in journey.with_standing()}

    assert set(found) == set(cases)
    assert found[cases[0]] == journey.way(cases[0], lead)


def test_the_way_of_ones_own_case_is_one_query(case, lead, django_assert_num_queries):
    lead.roles  # noqa: B018  cached, as on a page

    with django_assert_num_queries(1):
        journey.way(case, lead)


def test_the_line_stands_on_the_page_of_a_case(browser, case, lead):
    page = browser(lead).get(case.get_absolute_url()).content.decode()

    assert page.count('<li class="station station--') == 6
    assert page.count('aria-current="step"') == 1

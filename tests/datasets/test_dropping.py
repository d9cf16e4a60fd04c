"""Removing old revisions through the page, the API and their rules."""

import pytest
from django.urls import reverse

from fabriek.kernel.models import Entry
from fabriek.runs.models import RunInput
from fabriek.store.models import Ref, Revision
from tests.agreements.policy_world import an_agreement
from tests.factories import (
    a_case,
    a_dataset,
    a_person,
    a_run,
    an_allocation,
    an_organisation,
    staff,
)
from tests.store.test_actions import push

pytestmark = pytest.mark.django_db


@pytest.fixture
def lead():
    return a_person()


@pytest.fixture
def dataset(lead):
    made = a_dataset(case=a_case(lead=lead))
    for number in range(4):
        push(made.repository, {"rows": f"{number}".encode() * 10})
    return made


@pytest.fixture
def page(dataset):
    return reverse("datasets:drop", args=[dataset.code])


@pytest.fixture
def call(dataset):
    return f"/api/datasets/{dataset.code}/retention"


def left():
    return sorted(Revision.objects.filter(dropped_at=None).values_list("number", flat=True))


def numbered(dataset, number):
    return dataset.repository.revisions.get(number=number)


def post(program, person, address, given):
    return program(person).post(address, given, content_type="application/json")


def test_the_page_says_what_could_go_and_why_others_stay(browser, dataset, lead, page):
    RunInput.objects.create(
        run=a_run(allocation=an_allocation(case=dataset.case)),
        name="dataset",
        revision=numbered(dataset, 1),
    )
    Ref.objects.create(
        repository=dataset.repository, kind="tag", name="v2", revision=numbered(dataset, 2)
    )

    text = browser(lead).get(page).text

    assert "1 revision could go. That frees 10 B." in text
    assert "No: named by a run" in text
    assert "No: named by a branch or a tag" in text
    assert "No: the newest of its branch" in text
    assert text.count('type="checkbox"') == 1
    assert 'value="3"' in text


def test_an_agreement_is_a_reason_too(browser, dataset, lead, page):
    agreement = an_agreement(dataset.repository, a_case())

    text = browser(lead).get(page).text

    assert f"No: held by {agreement.code}" in text
    assert "No revision can go now." in text


def test_ticking_asks_first_and_only_then_removes(browser, dataset, lead, page):
    client = browser(lead)

    asked = client.post(page, {"number": ["1", "2"]})
    assert "Remove 2 revisions?" in asked.text
    assert "20 B comes free" in asked.text
    assert left() == [1, 2, 3, 4]

    given = {"number": ["1", "2"], "sure": "yes", "why": "room"}
    done = client.post(page, given, follow=True)
    assert "2 revisions are removed. 20 B comes free" in done.text
    assert left() == [3, 4]
    assert numbered(dataset, 1).dropped_why == "room"
    assert Entry.objects.get(verb="store.drop").by == lead


def test_twice_is_once(browser, lead, page):
    client = browser(lead)
    given = {"number": ["1"], "sure": "yes"}
    client.post(page, given)

    again = client.post(page, given, follow=True)

    assert "Nothing was removed" in again.text
    assert Entry.objects.filter(verb="store.drop").count() == 1


def test_what_may_not_go_stays_when_it_is_ticked_all_the_same(browser, lead, page):
    text = browser(lead).post(page, {"number": ["4"]}).text
    browser(lead).post(page, {"number": ["4"], "sure": "yes"})

    assert "Revision 4 stays: the newest of its branch." in text
    assert left() == [1, 2, 3, 4]


@pytest.mark.parametrize("numbers", [[], ["nonsense"], ["9"], ["-1"], ["99999999999999999999"]])
def test_numbers_that_are_none_are_refused_in_words(browser, lead, page, numbers):
    answer = browser(lead).post(page, {"number": numbers, "sure": "yes"})

    assert answer.status_code == 422
    assert "revision" in answer.text
    assert left() == [1, 2, 3, 4]


def test_who_leads_another_organisation_sees_and_does_nothing(
    browser, program, dataset, page, call
):
    member, outsider = a_person(), a_person()
    dataset.case.organisation.memberships.create(person=member, role="member")
    an_organisation(lead=outsider)

    for person, status in ((member, 403), (outsider, 404), (staff(), 404)):
        given = {"number": ["1"], "sure": "yes"}
        answers = [
            browser(person).get(page),
            browser(person).post(page, given),
            program(person).get(call),
            post(program, person, call, {"revisions": [1]}),
        ]
        assert [answer.status_code for answer in answers] == [status] * 4

    assert left() == [1, 2, 3, 4]
    assert "Remove old revisions" not in browser(member).get(dataset.get_absolute_url()).text


def test_a_lead_finds_the_page_from_the_dataset(browser, dataset, lead, page):
    assert f'href="{page}"' in browser(lead).get(dataset.get_absolute_url()).text


def test_programs_plan_and_drop(program, lead, call):
    plan = program(lead).get(call).json()
    late = program(lead).get(f"{call}?revisions=1&revisions=4").json()
    done = post(program, lead, call, {"keep_last": 2, "why": "room"}).json()

    assert [one["number"] for one in plan["go"]] == [3, 2, 1]
    assert plan["freed_bytes"] == 30
    assert [(one["number"], one["reason"]) for one in late["stay"]] == [
        (4, "newest"),
        (3, "recent"),
        (2, "recent"),
    ]
    assert [one["number"] for one in done["go"]] == [2, 1]
    assert left() == [3, 4]


def test_a_program_that_says_nothing_drops_nothing(program, lead, call):
    answer = post(program, lead, call, {})

    assert (answer.status_code, answer.json()["code"]) == (422, "no_wish")
    assert left() == [1, 2, 3, 4]


def test_the_page_costs_the_same_for_one_and_for_three(
    browser, lead, page, django_assert_num_queries
):
    client = browser(lead)
    counts = []
    for numbers in ("1", "2"):
        client.get(page)
        with django_assert_num_queries(QUERIES):
            client.get(page)
        client.post(page, {"number": [numbers], "sure": "yes"})
        client.get(page)
        counts.append(len(left()))
    assert counts == [3, 2]


QUERIES = 16

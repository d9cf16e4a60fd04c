"""What a look asks of people, told on the pages where they meet the data."""

import pytest

from fabriek.quality.models import Decision, Look, Treatment
from fabriek.quality.states import ErrandState
from tests.agreements.policy_world import an_agreement
from tests.datasets.conftest import push
from tests.factories import a_case, a_person

pytestmark = pytest.mark.django_db

BSN = {
    "column": "bsn",
    "path": "a.csv",
    "kind": "bsn",
    "count": 1,
    "rows": [1],
    "by": "column",
    "is_estimate": False,
}


def a_look(dataset, *findings, wrong=0):
    revision = push(dataset, {f"{Look.objects.count()}.csv": b"bsn\n1\n"})
    problems = [{"severity": "wrong"}] * wrong
    return Look.objects.create(
        dataset=dataset,
        revision=revision,
        state=ErrandState.DONE,
        result={"findings": list(findings), "problems": problems},
    )


def masked(look, made, *, by):
    decision = Decision.objects.create(
        dataset=look.dataset, column="bsn", choice="mask", kinds=["bsn"], by=by
    )
    told = {"bsn": {"choice": "mask", "decision": decision.pk}}
    Treatment.objects.create(
        dataset=look.dataset,
        revision=look.revision,
        state=ErrandState.DONE,
        made=made.revision,
        decisions=told,
    )


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({}, "Look at the data"),
        ({"findings": [BSN]}, "1 column seems to hold personal data."),
        ({"wrong": 2}, "2 things are wrong with these data."),
    ],
)
def test_the_page_of_the_data_says_first_what_its_look_asks(
    browser, lead, dataset, found, told
):
    a_look(dataset, *found.pop("findings", []), **found)
    if told == "Look at the data":
        Look.objects.all().delete()

    page = browser(lead).get(f"/data/{dataset.code}/").text

    assert told in page.partition("</section>")[0]
    assert told in browser(lead).get(f"/data/{dataset.code}/revisions/1/changes/").text


def test_what_waits_for_somebody_does_not_look_as_if_nothing_did(browser, lead, dataset):
    a_look(dataset, BSN)

    for rest in ("look/", "personal/"):
        assert "next--done" not in browser(lead).get(f"/data/{dataset.code}/{rest}").text


def test_a_column_that_was_masked_is_not_to_be_masked_again(browser, lead, dataset):
    old, new = a_look(dataset, BSN), a_look(dataset, BSN)
    masked(old, new, by=lead)

    page = browser(lead).get(f"/data/{dataset.code}/personal/").text

    assert "Nothing waits for a decision." in page
    older = browser(lead).get(f"/data/{dataset.code}/personal/1/").text
    assert "Go to the newest revision" in older
    answer = browser(lead).post(f"/data/{dataset.code}/personal/2/treat/")
    assert "No column is to be masked" in answer.text


def test_an_owner_who_lends_data_hears_of_personal_data_in_older_revisions(
    browser, lead, dataset
):
    old, new = a_look(dataset, BSN), a_look(dataset, BSN)
    masked(old, new, by=lead)

    page = browser(lead).get(f"/data/{dataset.code}/agreements/offer/").text

    assert "The look found personal data in revision 1." in page


def test_who_was_lent_the_data_reads_what_its_look_found_and_nobody_else(browser, dataset):
    a_look(dataset)
    borrower = a_person()
    agreement = an_agreement(dataset.repository, a_case(lead=borrower), place="open")
    assert agreement.repository == dataset.repository

    page = browser(borrower).get(f"/data/{dataset.code}/look/1/")

    assert page.status_code == 200
    assert "You were lent these data." in page.text
    assert "/start/" not in page.text
    assert dataset.case.title not in page.text
    assert browser(borrower).get(f"/data/{dataset.code}/personal/").status_code == 403
    assert browser(a_person()).get(f"/data/{dataset.code}/look/1/").status_code == 404

"""Who may read which report: pages, tables and API."""

import csv
import io
import re

import pytest

from tests.factories import a_case, a_dataset, a_person, an_organisation, staff
from tests.reports.making import an_award, two_funders

pytestmark = pytest.mark.django_db
MARCH = "?from=2026-03-01&until=2026-03-31"
PAGE = f"/reports/state/{MARCH}"
TABLES = ("figures.csv", "allocations.csv", "aid.csv")


@pytest.fixture(autouse=True)
def shares():
    return two_funders()


@pytest.fixture
def funder():
    return a_person(duty="funder", funder_code="state")


def text(response):
    words = re.sub(r"<[^>]+>", " ", response.content.decode())
    return " ".join(words.split())


def table(response):
    content = b"".join(response.streaming_content).decode().removeprefix("\ufeff")
    return list(csv.DictReader(io.StringIO(content)))


def test_staff_choose_a_funder_and_a_funder_goes_to_its_own_report(browser, funder):
    page = text(browser(staff()).get("/reports/"))

    assert "EuroHPC" in page
    assert "The State" in page
    assert browser(funder).get("/reports/").url == "/reports/state/"


def test_a_funder_reads_its_own_report_and_no_other(browser, program, funder):
    seen = browser(funder)

    assert seen.get(PAGE).status_code == 200
    assert seen.get("/reports/eurohpc/").status_code == 403
    for name in TABLES:
        assert seen.get(f"/reports/eurohpc/{name}").status_code == 403
    assert program(funder).get("/api/reports/eurohpc").status_code == 403
    assert program(funder).get("/api/reports/").json() == [
        {"code": "state", "name": "The State"}
    ]


def test_others_are_refused_with_a_sentence(browser, program):
    for person in (a_person(), a_person(duty="assessor")):
        for address in ("/reports/", PAGE, *(f"/reports/state/{name}" for name in TABLES)):
            answer = browser(person).get(address)
            assert answer.status_code == 403
            assert "Reports are for the funders and the staff of the factory." in text(answer)
        assert program(person).get("/api/reports/state").status_code == 403


def test_a_funder_that_does_not_exist_is_not_found(browser):
    assert browser(staff()).get("/reports/nobody/").status_code == 404


def test_a_page_shows_figures_with_their_definition(browser, shares):
    an_award(shares[0], spend=40)

    page = text(browser(staff()).get(PAGE))

    assert "Used 40 GPU-hours GPU-hours that runs used in this period" in page
    assert "1 March 2026 to 31 March 2026" in page


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?from=yesterday", "from"),
        ("?until=0001-01-01", "until"),
        ("?from=2026-05-01&until=2026-04-01", "from"),
    ],
)
def test_a_period_that_makes_no_sense_is_refused(browser, program, query, field):
    assert browser(staff()).get(f"/reports/state/{query}").status_code == 422
    answer = program(staff()).get(f"/api/reports/state{query}")
    assert (answer.status_code, list(answer.json()["fields"])) == (422, [field])


def test_all_figures_come_as_a_table_and_through_the_api_alike(
    browser, program, funder, shares
):
    an_award(shares[0], spend=40)

    rows = table(browser(funder).get(f"/reports/state/figures.csv{MARCH}"))
    answer = program(funder).get(f"/api/reports/state{MARCH}").json()

    assert {row["key"]: row["value"] for row in rows}["gpu_hours_used"] == "40.0"
    assert [row["key"] for row in rows] == [figure["key"] for figure in answer["figures"]]
    assert (answer["first"], answer["last"]) == ("2026-03-01", "2026-03-31")
    assert all(row["definition"] for row in rows)


def test_a_confidential_case_is_named_nowhere(browser, program, funder, shares):
    case = a_case(is_confidential=True, title="Hush-hush plan")
    allocation = an_award(shares[0], case=case, spend=40)
    seen = browser(funder)

    said = [seen.get(PAGE).content.decode()]
    said += [str(table(seen.get(f"/reports/state/{name}{MARCH}"))) for name in TABLES]
    said.append(program(funder).get(f"/api/reports/state{MARCH}").content.decode())

    for words in said:
        assert case.title not in words
        assert case.code not in words
        assert allocation.account not in words


def test_a_table_runs_nothing_in_a_spreadsheet(browser, shares):
    organisation = an_organisation(name="=1+1")
    an_award(shares[0], case=a_case(organisation=organisation), aid_eur_cents=100)
    seen = browser(staff())

    (row,) = table(seen.get(f"/reports/state/allocations.csv{MARCH}"))
    (aid,) = table(seen.get(f"/reports/state/aid.csv{MARCH}"))

    assert (row["organisation"], aid["undertaking"]) == ("'=1+1", "'=1+1")
    assert (aid["aid_of_this_funder_eur"], aid["room_eur"]) == ("1.0", "2999.0")


@pytest.mark.parametrize("many", [1, 30])
def test_a_report_costs_the_same_for_few_and_many(
    browser, django_assert_num_queries, funder, shares, many
):
    for _ in range(many):
        allocation = an_award(shares[0], spend=4, aid_eur_cents=100)
        a_dataset(case=allocation.case)
    seen = browser(funder)

    with django_assert_num_queries(10):
        seen.get(PAGE)

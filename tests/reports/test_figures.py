"""Each figure of a report, computed by hand beside the one that was counted."""

from datetime import date

import pytest
from django.utils.translation import override

from fabriek.allocations.models import Funder, Line
from fabriek.cases.models import Sector
from fabriek.kernel.periods import Period
from fabriek.reports import queries, units
from fabriek.reports.figures import Figure
from tests.factories import a_case, a_dataset, a_model, a_run, a_sector
from tests.reports.making import (
    a_decided,
    a_line,
    an_award,
    an_organisation_of,
    granted,
    moment,
    opened,
    two_funders,
)

pytestmark = pytest.mark.django_db
MARCH = Period(first=date(2026, 3, 1), last=date(2026, 3, 31))


def report(code="state", period=MARCH):
    with override("en"):
        return queries.report(queries.payer(code), period)


def figures(code="state", period=MARCH):
    return {one.key: one.value for one in report(code, period).figures}


def rows(split_key):
    (split,) = [
        split
        for section in report().sections
        for split in section.splits
        if split.key == split_key
    ]
    return [(row.code, row.in_contact, row.supported) for row in split.rows]


def test_an_empty_factory_counts_nothing_and_knows_no_rates():
    two_funders()

    found = figures()

    assert found["organisations_in_contact"] == 0
    assert found["gpu_hours_used"] == 0
    assert found["success_rate"] is None
    assert found["workdays_to_decision"] is None
    assert found["share_actual:nl"] is None
    assert found["share_target:nl"] == 40


def test_reach_counts_organisations_of_the_period_and_those_it_supported():
    national, european = two_funders()
    firm = an_organisation_of("2025-01-01 10:00", kind="sme", region="Groningen")
    care = an_organisation_of("2026-03-31 23:59", kind="public", region="Drenthe")
    early = an_organisation_of("2026-02-28 23:59")
    late = an_organisation_of("2026-04-01 00:01")
    two_cases = [
        a_case(
            organisation=firm, sector=a_sector("care"), proposed_at=moment("2026-03-05 10:00")
        ),
        a_case(organisation=firm, sector=a_sector("safety"), proposed_at=None, state="draft"),
    ]
    an_award(national, case=two_cases[0])
    an_award(european, case=a_case(organisation=care))
    assert {early.pk, late.pk}  # neither registered, proposed nor got anything in March

    found = figures()

    assert found["organisations_in_contact"] == 2
    assert found["organisations_supported"] == 1
    assert rows("kind") == [("public", 1, 0), ("sme", 1, 1)]
    assert rows("region") == [("Drenthe", 1, 0), ("Groningen", 1, 1)]
    assert rows("size") == [("none", 1, 0), ("unknown", 1, 1)]
    assert figures("eurohpc")["organisations_supported"] == 1


def test_sectors_count_an_organisation_once_each():
    national, _ = two_funders()
    firm = an_organisation_of("2026-03-01 10:00")
    for _n in range(2):
        case = a_case(
            organisation=firm, sector=a_sector("care"), proposed_at=moment("2026-03-05 10:00")
        )
    an_award(national, case=case)

    assert rows("sector") == [("care", 1, 1)]


def test_an_organisation_is_supported_in_the_sectors_of_the_cases_that_got_something():
    national, _ = two_funders()
    firm = an_organisation_of("2025-01-01 10:00")
    safety, mobility, other = (
        Sector.objects.create(code=code, name_nl=code, name_en=code)
        for code in ("safety", "mobility", "other")
    )
    for sector in (safety, a_sector("care"), a_sector("care")):
        an_award(national, case=a_case(organisation=firm, sector=sector))
    a_case(organisation=firm, sector=mobility)
    a_case(organisation=firm, sector=other, proposed_at=None, state="draft")

    assert rows("sector") == [("care", 1, 1), ("mobility", 1, 0), ("safety", 1, 1)]


def test_access_counts_what_was_submitted_and_decided_in_the_period():
    national, european = two_funders()
    decided = {"due": "2026-03-10 17:00"}
    case = a_case()
    a_decided(
        case, national, submitted="2026-02-27 10:00", decided="2026-03-03 10:00", **decided
    )
    a_decided(
        case,
        national,
        submitted="2026-03-02 10:00",
        decided="2026-03-12 10:00",
        is_award=False,
        **decided,
    )
    a_decided(
        case, national, submitted="2026-03-30 10:00", decided="2026-04-01 10:00", **decided
    )
    a_decided(
        case, european, submitted="2026-03-30 10:00", decided="2026-03-31 10:00", **decided
    )

    found = figures()

    assert found["applications_submitted"] == 2
    assert (found["applications_decided"], found["awards"]) == (2, 1)
    assert found["success_rate"] == 50
    assert found["promises_kept"] == 50
    # Friday to Tuesday is 2 working days, Monday to the Thursday of next week is 8.
    assert found["workdays_to_decision"] == 5


def test_access_measures_on_to_the_gpu_hours_and_the_first_run():
    national, _ = two_funders()
    decision = a_decided(
        a_case(),
        national,
        submitted="2026-03-02 10:00",
        due="2026-03-04 17:00",
        decided="2026-03-04 10:00",
    )
    allocation = opened(decision, national, at="2026-03-05 10:00")
    for started in ("2026-03-11 10:00", "2026-03-09 10:00"):
        a_run(allocation=allocation, started_at=moment(started))

    found = figures()

    assert found["workdays_to_decision"] == 2
    assert found["workdays_to_opening"] == 1
    assert found["workdays_to_first_run"] == 2


def test_compute_sums_the_ledger_of_the_period_and_of_this_funder():
    national, european = two_funders()
    allocation = an_award(national, hold=50, release=50, spend=40, counter=-5, expire=30)
    a_line(allocation, national, "extend", 10, at="2026-03-20 10:00")
    a_line(allocation, national, "spend", 99, at="2026-04-01 00:00")
    a_line(allocation, national, "spend", 99, at="2026-02-28 23:59")
    an_award(european, spend=7)
    Line.objects.create(allocation=allocation, key="o", kind="overrun", gpu_seconds=9 * 3600)

    found = figures()

    assert found["gpu_hours_granted"] == 100
    assert found["gpu_hours_used"] == 35
    assert found["gpu_hours_expired"] == 20
    assert figures("eurohpc")["gpu_hours_used"] == 7


def test_a_period_may_be_longer_than_the_year_of_the_shares():
    national, _ = two_funders()
    allocation = an_award(national, spend=30)
    a_line(allocation, national, "spend", 10, at="2024-06-01 00:00")

    found = report(period=Period(first=date(2024, 6, 1), last=date(2026, 3, 31)))

    assert {one.key: one.value for one in found.figures}["gpu_hours_used"] == 40
    assert sum(sum(month.gpu_seconds) for month in found.compute.months) == 30 * 3600


def test_shares_are_compared_over_the_twelve_months_up_to_the_last_day():
    national, european = two_funders()
    allocation = an_award(national, spend=30)
    a_line(allocation, european, "spend", 10, at="2025-04-01 00:00")
    a_line(allocation, european, "spend", 99, at="2025-03-31 23:59")

    found = report()

    assert [(str(use.share.code), use.percent) for use in found.compute.shares] == [
        ("eu", 25),
        ("nl", 75),
    ]
    assert found.compute.since == date(2025, 4, 1)
    used = {month.first: month.gpu_seconds for month in found.compute.months}
    assert len(used) == 12
    assert used[date(2025, 4, 1)] == (10 * 3600, 0)
    assert used[date(2026, 3, 1)] == (0, 30 * 3600)


def test_results_count_what_was_made_with_this_funders_gpu_hours():
    national, european = two_funders()
    allocation = an_award(national)
    granted(allocation, national, at="2026-03-06 10:00", hours=1)
    case, now = allocation.case, moment("2026-03-20 10:00")
    a_dataset(case=case, created_at=now)
    a_dataset(case=case, created_at=moment("2026-04-01 00:00"))
    a_model(case=case, registered_at=now)
    a_model(case=case, registered_at=now, is_open=True)
    for state in ("succeeded", "failed"):
        a_run(allocation=allocation, state=state, ended_at=now)
    elsewhere = an_award(european)
    a_run(allocation=elsewhere, state="succeeded", ended_at=now)
    a_dataset(case=elsewhere.case, created_at=now)

    found = figures()

    assert found["datasets"] == 1
    assert (found["runs_ended"], found["runs_succeeded"]) == (2, 1)
    assert (found["models"], found["models_open"]) == (2, 1)


def test_a_funder_without_a_share_has_nothing_to_count():
    Funder.objects.create(code="new", name_nl="Nieuw", name_en="New")

    found = figures("new")

    assert (found["gpu_hours_granted"], found["organisations_supported"]) == (0, 0)
    assert (found["datasets"], found["runs_ended"], found["models"]) == (None, None, None)


def test_aid_adds_up_linked_companies_and_all_shares_in_three_years():
    national, european = two_funders()
    head = an_organisation_of("2026-03-01 10:00", name="Head")
    daughter = an_organisation_of("2026-03-01 10:00", name="Daughter", group_head=head)
    an_award(national, case=a_case(organisation=head), aid_eur_cents=1000_00)
    second = an_award(national, case=a_case(organisation=daughter), aid_eur_cents=500_00)
    granted(second, european, at="2026-03-04 12:00", hours=1, aid_eur_cents=200_00)
    granted(second, national, at="2023-03-30 23:59", hours=1, aid_eur_cents=800_00)
    an_award(national)

    (found,) = report().undertakings

    assert found.name == "Head"
    assert (found.own_eur_cents, found.all_eur_cents) == (1500_00, 1700_00)
    assert found.room_eur_cents == 1300_00
    assert report("eurohpc").undertakings == []


def test_aid_still_counts_on_the_same_date_three_years_later():
    national, _ = two_funders()
    allocation = an_award(national, aid_eur_cents=100)
    granted(allocation, national, at="2023-03-31 00:01", hours=1, aid_eur_cents=800_00)

    (found,) = report().undertakings

    assert found.all_eur_cents == 801_00


def test_rows_behind_add_up_to_the_figures_and_name_no_confidential_case():
    national, european = two_funders()
    an_award(national, spend=40, expire=10)
    secret = a_case(is_confidential=True, title="Secret")
    an_award(national, case=secret, spend=5)
    an_award(european, spend=7)

    payer = queries.payer("state")
    found = list(queries.allocation_rows(payer, MARCH))

    assert [sum(row[i] for row in found) / 3600 for i in (9, 10, 11)] == [200, 45, 10]
    hidden = [row for row in found if row[0] == "confidential"]
    assert [row[:4] for row in hidden] == [("confidential",) * 4]


@pytest.mark.parametrize(
    ("last", "first"),
    [
        (date(2026, 3, 31), date(2025, 4, 1)),
        (date(2026, 11, 23), date(2025, 11, 24)),
        (date(2024, 2, 28), date(2023, 3, 1)),
        (date(2024, 2, 29), date(2023, 3, 1)),
    ],
)
def test_a_year_ends_on_its_last_day(last, first):
    assert Period.year_until(last).first == first


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0, "0"),
        (12, "12"),
        (2.5, "2.5"),
        (0.0472, "0.047"),
        (1234.5, "1,234"),
        (33.333, "33.3"),
    ],
)
def test_figures_are_shown_as_precisely_as_they_deserve(value, shown):
    with override("en"):
        assert Figure(key="a", label="", value=value, unit="", definition="").shown == shown


def test_a_unit_stands_in_the_number_of_its_figure():
    said = {value: units.said(units.ORGANISATIONS, value) for value in (None, 0, 1, 1.5, 2)}

    assert [value for value, words in said.items() if words == "organisation"] == [1]
    assert units.name(units.WORKING_DAYS) == "working days"

"""Holding, settling, correcting and expiring GPU time, in the database."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import override

from fabriek.allocations import actions, ledger, queries, words
from fabriek.allocations.models import Allocation, Line
from fabriek.kernel.errors import NotEnough, WrongState
from fabriek.kernel.models import Entry
from tests.allocations.making import HOUR, an_allocation, kinds, left

pytestmark = pytest.mark.django_db


@pytest.fixture
def allocation():
    return an_allocation(gpu_seconds=10 * HOUR)


def ended(allocation, days_ago=1):
    today = timezone.localdate()
    Allocation.objects.filter(pk=allocation.pk).update(
        starts_on=today - timedelta(days=30), ends_on=today - timedelta(days=days_ago)
    )


def totals(allocation):
    allocation.refresh_from_db()
    return (
        allocation.gpu_seconds_granted,
        allocation.gpu_seconds_held,
        allocation.gpu_seconds_spent,
        allocation.gpu_seconds_expired,
    )


def test_a_run_holds_and_then_spends_what_it_used(allocation):
    actions.hold(allocation, run_key="a", gpu_seconds=4 * HOUR)
    assert totals(allocation) == (10 * HOUR, 4 * HOUR, 0, 0)

    actions.settle(allocation, run_key="a", gpu_seconds_used=3 * HOUR)

    assert totals(allocation) == (10 * HOUR, 0, 3 * HOUR, 0)
    assert kinds(allocation) == ["grant", "hold", "release", "spend"]


def test_holding_and_settling_twice_change_nothing(allocation):
    for _ in range(2):
        actions.hold(allocation, run_key="a", gpu_seconds=4 * HOUR)
    for used in (3 * HOUR, 2 * HOUR):
        actions.settle(allocation, run_key="a", gpu_seconds_used=used)

    assert totals(allocation) == (10 * HOUR, 0, 3 * HOUR, 0)
    assert Line.objects.count() == 4


def test_more_than_is_left_is_refused_in_hours(allocation):
    actions.hold(allocation, run_key="a", gpu_seconds=8 * HOUR)

    with override("en"), pytest.raises(NotEnough) as refused:
        actions.hold(allocation, run_key="b", gpu_seconds=3 * HOUR)

    assert str(refused.value) == (
        f"{allocation.account} has 1 GPU-hour too few: this needs 3 GPU-hours. "
        "Choose less work, or ask for more GPU-hours."
    )
    assert left(allocation) == 2 * HOUR


@pytest.mark.parametrize(("starts", "ends"), [(1, 9), (-9, -1)])
def test_nothing_is_held_outside_the_term_whatever_the_caller_remembers(
    allocation, starts, ends
):
    today = timezone.localdate()
    Allocation.objects.update(
        starts_on=today + timedelta(days=starts), ends_on=today + timedelta(days=ends)
    )

    with pytest.raises(WrongState) as refused:
        actions.hold(allocation, run_key="a", gpu_seconds=1)

    assert refused.value.code == "outside_term"
    assert kinds(allocation) == ["grant"]


def test_use_beyond_what_is_left_is_borne_by_the_factory(allocation):
    actions.hold(allocation, run_key="a", gpu_seconds=10 * HOUR)

    actions.settle(allocation, run_key="a", gpu_seconds_used=12 * HOUR)

    assert totals(allocation) == (10 * HOUR, 0, 10 * HOUR, 0)
    overrun = allocation.lines.get(kind="overrun")
    assert (overrun.gpu_seconds, overrun.share) == (2 * HOUR, None)


def test_a_run_that_never_held_anything_is_not_settled(allocation):
    with pytest.raises(ledger.NoHold):
        actions.settle(allocation, run_key="unknown", gpu_seconds_used=1)

    assert kinds(allocation) == ["grant"]


@pytest.mark.parametrize(("used", "left_after"), [(5, 5), (1, 9), (99, 0)])
def test_a_correction_brings_the_bill_to_what_was_used_once(allocation, used, left_after):
    actions.hold(allocation, run_key="a", gpu_seconds=4 * HOUR)
    actions.settle(allocation, run_key="a", gpu_seconds_used=3 * HOUR)

    for _ in range(2):
        actions.correct(
            allocation, run_key="a", gpu_seconds_used=used * HOUR, key="night", note="sacct"
        )

    assert left(allocation) == left_after * HOUR
    bill = allocation.lines.filter(run_key="a", kind__in=["spend", "counter", "overrun"])
    assert sum(bill.values_list("gpu_seconds", flat=True)) == used * HOUR
    assert kinds(allocation)[4:] == (["counter", "overrun"] if used > 10 else ["counter"])
    entry = Entry.objects.get()
    assert (entry.verb, entry.by) == ("allocations.correct", None)
    assert entry.details == {"run_key": "a", "note": "sacct"}


def test_a_correction_to_the_same_bill_writes_nothing(allocation):
    actions.hold(allocation, run_key="a", gpu_seconds=4 * HOUR)
    actions.settle(allocation, run_key="a", gpu_seconds_used=3 * HOUR)

    actions.correct(
        allocation, run_key="a", gpu_seconds_used=3 * HOUR, key="night", note="sacct"
    )

    assert len(kinds(allocation)) == 4
    assert not Entry.objects.exists()


def test_a_run_without_a_bill_is_not_corrected(allocation):
    actions.hold(allocation, run_key="a", gpu_seconds=HOUR)

    with pytest.raises(ledger.NotSettled):
        actions.correct(allocation, run_key="a", gpu_seconds_used=1, key="night", note="")

    assert kinds(allocation) == ["grant", "hold"]


def test_jobs_around_the_portal_are_charged_once_and_the_totals_follow(allocation):
    uses = [
        ledger.Use(key="job-1", gpu_seconds=4 * HOUR, note="alice"),
        ledger.Use(key="job-2", gpu_seconds=7 * HOUR, note="bob"),
    ]

    for _ in range(2):
        actions.charge(allocation, uses)

    assert totals(allocation) == (10 * HOUR, 0, 10 * HOUR, 0)
    assert kinds(allocation) == ["grant", "spend", "spend", "overrun"]
    assert list(queries.drift()) == []
    with override("en"):
        said = [words.line_said(line) for line in queries.lines_of(allocation)]
    assert said[:2] == [
        "A job that bob submitted around the portal used more than was left: the factory "
        "pays this",
        "Used by a job that bob submitted around the portal",
    ]


def test_a_job_around_the_portal_is_told_on_the_page_and_leads_to_no_run(allocation, client):
    actions.charge(allocation, [ledger.Use(key="job-1", gpu_seconds=HOUR, note="<b>eve</b>")])
    client.force_login(allocation.case.created_by)

    page = client.get(allocation.get_absolute_url(), headers={"Accept-Language": "en"})

    assert page.status_code == 200
    said = "Used by a job that &lt;b&gt;eve&lt;/b&gt; submitted around the portal"
    assert page.content.decode().count(said) == 1
    assert "job-1" not in page.content.decode()


def test_what_is_left_expires_after_the_last_day_and_held_time_stays(allocation):
    actions.hold(allocation, run_key="a", gpu_seconds=4 * HOUR)
    ended(allocation)

    assert [actions.expire_ended(), actions.expire_ended()] == [1, 0]

    assert totals(allocation) == (10 * HOUR, 4 * HOUR, 0, 6 * HOUR)
    entry = Entry.objects.get()
    assert (entry.verb, entry.details) == ("allocations.expire", {"gpu_hours": 6})


def test_what_a_run_gives_back_after_the_last_day_expires_too(allocation):
    actions.hold(allocation, run_key="a", gpu_seconds=4 * HOUR)
    ended(allocation)
    actions.expire_ended()

    actions.settle(allocation, run_key="a", gpu_seconds_used=HOUR)
    actions.expire_ended()

    assert totals(allocation) == (10 * HOUR, 0, HOUR, 9 * HOUR)


def test_nothing_expires_on_the_last_day_itself(allocation):
    ended(allocation, days_ago=0)

    assert actions.expire_ended() == 0
    assert left(allocation) == 10 * HOUR


@pytest.mark.parametrize("column", ["held", "spent", "expired"])
def test_the_database_itself_refuses_to_go_below_zero(allocation, column):
    with pytest.raises(IntegrityError), transaction.atomic():
        Allocation.objects.update(**{f"gpu_seconds_{column}": 10 * HOUR + 1})

    assert left(allocation) == 10 * HOUR


def test_the_database_keeps_each_line_once(allocation):
    line = allocation.lines.get()
    line.pk = None

    with pytest.raises(IntegrityError), transaction.atomic():
        line.save(force_insert=True)


def test_totals_that_differ_from_their_lines_are_found_with_one_query(
    allocation, django_assert_num_queries
):
    right = an_allocation(gpu_seconds=HOUR)
    actions.hold(right, run_key="a", gpu_seconds=60)
    actions.settle(right, run_key="a", gpu_seconds_used=30)
    assert list(queries.drift()) == []

    Allocation.objects.filter(pk=allocation.pk).update(gpu_seconds_spent=1)

    with django_assert_num_queries(1):
        assert list(queries.drift()) == [allocation]


def test_an_allocation_without_any_line_drifts(allocation):
    Line.objects.all().delete()

    assert list(queries.drift()) == [allocation]

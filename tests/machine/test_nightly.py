"""By night every bill becomes what the machine counted, and what does not fit is told."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from fabriek.allocations import actions as allocations
from fabriek.allocations import queries as allocation_queries
from fabriek.allocations.lines import BILLED
from fabriek.allocations.models import Allocation, Line
from fabriek.engines.fake import Fake
from fabriek.machine import books, drift, nightly
from fabriek.machine.drift import Kind
from fabriek.machine.models import Books, Stretch
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from tests.factories import a_run, an_allocation
from tests.machine.records import a_record

pytestmark = pytest.mark.django_db
HOURS_AGO = timedelta(hours=3)


@pytest.fixture
def machine():
    return Fake()


@pytest.fixture
def allocation():
    made = an_allocation(gpu_seconds=36_000)
    Allocation.objects.update(opened_at=timezone.now() - timedelta(days=9))
    return made


def a_billed_run(allocation, *, used, gpus=2, ago=HOURS_AGO, **fields):
    """Make a run that ended and was settled for `used` GPU-seconds."""
    run = a_run(
        allocation=allocation,
        gpus=gpus,
        state=RunState.SUCCEEDED,
        elapsed_s=used // gpus,
        gpu_seconds_used=used,
        ended_at=timezone.now() - ago,
        **fields,
    )
    allocations.hold(allocation, run_key=run.key, gpu_seconds=3600)
    allocations.settle(allocation, run_key=run.key, gpu_seconds_used=used)
    return run


def counted(run, *, elapsed_s, ago=HOURS_AGO, **fields):
    """Make the line of the machine's accounting for it."""
    named = {"key": run.key, "gpus": run.gpus, "user": "fabriek"} | fields
    return a_record(account=run.allocation.account, ended=ago, elapsed_s=elapsed_s, **named)


def bill(run):
    lines = run.allocation.lines.filter(run_key=run.key, kind__in=BILLED)
    return sum(lines.values_list("gpu_seconds", flat=True))


def night(machine):
    books.draw(machine, timezone.now())
    return nightly.reconcile(machine, timezone.now())


def findings(kind):
    return [finding for finding in drift.report().findings if finding.kind == kind]


@pytest.mark.parametrize("told_s", [100, 700])
def test_a_bill_that_is_not_what_the_machine_counted_is_corrected_once(
    machine, allocation, told_s
):
    run = a_billed_run(allocation, used=400)
    machine.others = [counted(run, elapsed_s=told_s)]
    books.draw(machine, timezone.now())
    [found] = findings(Kind.DIFFERS)
    assert (found.subject, found.machine_gpu_seconds, found.ledger_gpu_seconds) == (
        run.code,
        told_s * 2,
        400,
    )

    nights = [night(machine).corrected for _ in range(2)]

    assert nights == [1, 0]
    assert bill(run) == told_s * 2
    run.refresh_from_db()
    assert run.gpu_seconds_used == told_s * 2
    [line] = allocation.lines.filter(kind="counter")
    assert line.note == "The machine's accounting counted otherwise."
    assert findings(Kind.DIFFERS) == []
    [corrected] = findings(Kind.CORRECTED)
    assert (corrected.subject, corrected.ledger_gpu_seconds) == (run.code, told_s * 2 - 400)
    assert not drift.report().has_drift
    assert list(allocation_queries.drift()) == []


def test_all_stretches_of_a_run_count_and_seconds_cut_off_are_explained(machine, allocation):
    run = a_billed_run(allocation, used=400)
    machine.others = [counted(run, elapsed_s=100), counted(run, elapsed_s=98)]

    assert night(machine).corrected == 0
    assert bill(run) == 400

    machine.others = [*machine.others, counted(run, elapsed_s=10)]
    assert night(machine).corrected == 1
    assert bill(run) == 416


def test_a_correction_beyond_what_is_left_is_borne_by_the_factory(machine, allocation):
    run = a_billed_run(allocation, used=400)
    machine.others = [counted(run, elapsed_s=50_000)]

    night(machine)

    assert bill(run) == 100_000
    assert list(allocation_queries.drift()) == []
    [corrected] = findings(Kind.CORRECTED)
    assert corrected.ledger_gpu_seconds == 99_600


def test_a_run_that_just_ended_is_left_until_all_of_it_was_told(machine, allocation):
    soon = timedelta(minutes=5)
    run = a_billed_run(allocation, used=400, ago=soon)
    machine.others = [counted(run, elapsed_s=10, ago=soon)]

    assert night(machine).corrected == 0
    assert bill(run) == 400


def test_a_run_that_was_lost_is_left_to_the_loop_that_follows_it(machine, allocation):
    run = a_billed_run(allocation, used=400)
    Run.objects.update(state=RunState.LOST)
    machine.others = [counted(run, elapsed_s=10)]

    assert night(machine).corrected == 0


def test_history_that_was_brought_in_corrects_no_bill(machine, allocation):
    run = a_billed_run(allocation, used=400)
    machine.others = [counted(run, elapsed_s=10)]
    books.draw(machine, timezone.now())
    Stretch.objects.update(is_history=True)
    machine.others = []

    assert night(machine).corrected == 0
    assert findings(Kind.UNRECORDED) == []


def test_what_the_accounting_told_days_late_is_found_by_night_and_billed(machine, allocation):
    books.draw(machine, timezone.now())
    machine.others = [
        a_record(account=allocation.account, ended=timedelta(days=2), elapsed_s=60)
    ]
    books.draw(machine, timezone.now())
    assert Stretch.objects.count() == 0

    done = nightly.reconcile(machine, timezone.now())

    assert done.found_late == 1
    allocation.refresh_from_db()
    assert allocation.gpu_seconds_spent == 60


def test_by_hand_one_may_go_farther_back(machine, allocation):
    books.draw(machine, timezone.now())
    machine.others = [a_record(account=allocation.account, ended=timedelta(days=8))]

    assert nightly.reconcile(machine, timezone.now()).found_late == 0
    again = timedelta(days=9)
    assert nightly.reconcile(machine, timezone.now(), again=again).found_late == 1


def test_an_account_that_becomes_known_pays_for_what_ran_before(machine, allocation):
    machine.others = [a_record(account="a26-0099", elapsed_s=60)]
    books.draw(machine, timezone.now())
    [unknown] = findings(Kind.UNKNOWN_ACCOUNT)
    assert (unknown.subject, unknown.detail, unknown.count) == ("a26-0099", "alice", 1)
    Allocation.objects.update(account="a26-0099")

    nightly.reconcile(machine, timezone.now())

    allocation.refresh_from_db()
    assert allocation.gpu_seconds_spent == 60
    assert findings(Kind.UNKNOWN_ACCOUNT) == []


def test_a_run_of_which_the_machine_knows_nothing_is_told(machine, allocation):
    run = a_billed_run(allocation, used=400)
    a_billed_run(allocation, used=0)  # it never got its GPUs
    a_billed_run(allocation, used=400, ago=timedelta(minutes=5))

    night(machine)

    [found] = findings(Kind.UNRECORDED)
    assert (found.subject, found.ledger_gpu_seconds) == (run.code, 400)
    assert found.is_drift


def test_jobs_around_the_portal_are_told_together_and_are_no_drift(machine, allocation):
    machine.others = [a_record(account=allocation.account, elapsed_s=10) for _ in range(3)]

    night(machine)

    [found] = findings(Kind.AROUND)
    assert (found.subject, found.detail, found.count) == (allocation.account, "alice", 3)
    assert (found.machine_gpu_seconds, found.ledger_gpu_seconds) == (30, 30)
    assert not drift.report().has_drift


def test_a_job_with_the_name_of_a_run_that_we_do_not_have_is_told(machine, allocation):
    name = "fabriek-" + "0" * 32
    machine.others = [a_record(account=allocation.account, key=name)]

    night(machine)

    [found] = findings(Kind.NO_SUCH_RUN)
    assert (found.subject, found.count) == (allocation.account, 1)
    assert found.is_drift


def test_totals_that_are_not_the_sum_of_their_lines_are_told(machine, allocation):
    night(machine)
    Allocation.objects.update(gpu_seconds_spent=77)

    [found] = findings(Kind.TOTALS)

    assert found.subject == allocation.account
    assert drift.report().has_drift


def test_an_accounting_that_was_never_heard_or_not_for_hours_is_told(machine, allocation):
    assert len(findings(Kind.SILENT)) == 1

    books.tick(machine)
    assert findings(Kind.SILENT) == []

    Books.objects.update(heard_at=timezone.now() - timedelta(hours=2))
    [found] = findings(Kind.SILENT)
    assert found.at == Books.objects.get().heard_at


def test_a_report_asks_as_much_for_one_thing_as_for_many(
    machine, allocation, django_assert_num_queries
):
    a_billed_run(allocation, used=400)
    machine.others = [a_record(account=allocation.account)]
    night(machine)
    with django_assert_num_queries(7):
        drift.report()

    for number in range(3):
        a_billed_run(allocation, used=400)
        machine.others.append(a_record(account=f"unknown{number}"))
    night(machine)

    with django_assert_num_queries(7):
        found = drift.report().findings
    assert len(found) == 8


def test_two_loops_reconcile_one_night_once_and_the_next_night_again(
    machine, allocation, settings, monkeypatch
):
    books.the_books()
    done = []
    monkeypatch.setattr(
        nightly,
        "reconcile",
        lambda engine, now: done.append(now) or nightly.Night(found_late=0, corrected=0),
    )

    for _ in range(2):
        nightly.tick(machine)
    assert len(done) == 1

    yesterday = nightly.night_of(timezone.now()) - timedelta(days=1)
    Books.objects.update(reconciled_on=yesterday)
    nightly.tick(machine)
    assert len(done) == 2


def test_a_night_on_which_the_machine_is_silent_is_tried_again(machine, allocation):
    books.the_books()
    machine.down = True
    nightly.tick(machine)
    assert Books.objects.get().reconciled_on is None

    machine.down = False
    nightly.tick(machine)

    read = Books.objects.get()
    assert read.reconciled_on == nightly.night_of(timezone.now())
    assert read.reconciled_at is not None


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 3, 2, 1, 59, tzinfo=UTC), 1),  # 02:59 in Amsterdam
        (datetime(2026, 3, 2, 2, 0, tzinfo=UTC), 2),
        (datetime(2026, 3, 2, 22, 59, tzinfo=UTC), 2),
    ],
)
def test_a_night_begins_at_its_hour_by_the_clock_of_the_factory(settings, moment, day):
    settings.RECONCILE_HOUR = 3

    assert nightly.night_of(moment).day == day


# --- a job around us that carries the key of a run ------------------------------------------
LONG_AGO = timedelta(days=40)


@pytest.fixture
def old(allocation):
    """Give a run that was over and billed long ago."""
    Allocation.objects.update(opened_at=timezone.now() - timedelta(days=60))
    run = a_billed_run(allocation, used=0, ago=LONG_AGO)
    Run.objects.update(asked_at=run.ended_at - timedelta(hours=1))
    return run


def test_a_job_with_the_key_of_a_run_that_was_over_long_ago_is_billed_as_around_us(
    machine, allocation, old
):
    machine.others = [counted(old, elapsed_s=3600, gpus=8)]

    night(machine)

    allocation.refresh_from_db()
    assert Stretch.objects.get().run is None
    assert allocation.gpu_seconds_spent == 8 * 3600
    assert [finding.count for finding in findings(Kind.NO_SUCH_RUN)] == [1]


def test_a_job_from_before_a_run_was_asked_for_is_none_of_its(machine, allocation):
    run = a_billed_run(allocation, used=7200)
    earlier = counted(run, elapsed_s=3600, ago=timedelta(days=2))
    machine.others = [earlier, counted(run, elapsed_s=3600)]

    night(machine)

    allocation.refresh_from_db()
    assert bill(run) == 7200
    assert allocation.gpu_seconds_spent == 2 * 7200


def test_a_job_with_the_key_of_a_run_that_ended_today_is_billed_as_part_of_it(
    machine, allocation
):
    run = a_billed_run(allocation, used=7200, ago=timedelta(hours=6))
    machine.others = [
        counted(run, elapsed_s=3600, ago=timedelta(hours=6)),
        counted(run, elapsed_s=1800, gpus=8, ago=timedelta(hours=2)),
    ]

    night(machine)

    assert bill(run) == 7200 + 8 * 1800


def test_the_night_looks_at_a_run_of_any_age_of_which_the_machine_counted_something_since(
    machine, allocation, old
):
    """A job that was sent in the life of its run, and held its GPUs for weeks after that."""
    allocations.correct(allocation, run_key=old.key, gpu_seconds_used=70, key="x", note="x")
    Line.objects.filter(run_key=old.key).update(at=timezone.now() - timedelta(days=80))
    weeks_s = int((LONG_AGO - timedelta(days=1)).total_seconds())
    told = counted(old, elapsed_s=weeks_s, gpus=1, ago=timedelta(days=1))
    machine.others = [told]

    night(machine)
    again = night(machine)

    assert Stretch.objects.get().run == old
    assert (bill(old), again.corrected) == (weeks_s, 0)


def test_a_run_that_was_lost_keeps_what_is_told_of_it_weeks_later(machine, old):
    Run.objects.update(state=RunState.LOST)
    machine.others = [counted(old, elapsed_s=3600)]

    night(machine)

    assert Stretch.objects.get().run == old

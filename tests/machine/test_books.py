"""The poller: what the machine counts comes into the books once, and who went around pays."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from fabriek.allocations import queries as allocation_queries
from fabriek.allocations.models import Allocation
from fabriek.engines.base import EngineDown
from fabriek.engines.fake import Fake
from fabriek.kernel.models import Entry
from fabriek.machine import books
from fabriek.machine.models import Books, Stretch
from tests.factories import a_run, an_allocation
from tests.machine.records import a_record

pytestmark = pytest.mark.django_db


class Remembering(Fake):
    """Remembers for which times it was asked, and may die in the middle of an answer."""

    def __init__(self):
        super().__init__()
        self.asked = []
        self.dies_after = None

    def usage(self, since, until):
        self.asked.append(
            (datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(until, UTC))
        )
        for given, record in enumerate(super().usage(since, until)):
            if given == self.dies_after:
                raise EngineDown("died in the middle")
            yield record


@pytest.fixture
def machine():
    return Remembering()


@pytest.fixture
def allocation():
    """Make one of an hour, opened a day ago."""
    made = an_allocation(gpu_seconds=3600)
    Allocation.objects.update(opened_at=timezone.now() - timedelta(hours=20))
    return made


def minute_later():
    """Let the next pass be the one that asks."""
    Books.objects.update(drawn_at=timezone.now() - timedelta(minutes=1))


def spent(allocation):
    allocation.refresh_from_db()
    return allocation.gpu_seconds_spent


def overrun(allocation):
    return sum(allocation.lines.filter(kind="overrun").values_list("gpu_seconds", flat=True))


def test_a_job_around_the_portal_is_billed_once_however_often_it_is_told(machine, allocation):
    machine.others = [a_record(account=allocation.account, gpus=4, elapsed_s=100)]

    for _ in range(3):
        books.tick(machine)
        minute_later()

    stretch = Stretch.objects.get()
    assert (stretch.allocation, stretch.run, stretch.user) == (allocation, None, "alice")
    assert (stretch.gpus, stretch.elapsed_s, stretch.state) == (4, 100, "COMPLETED")
    assert stretch.submitted_at + timedelta(seconds=30) == stretch.started_at
    assert not stretch.awaits_charge
    assert spent(allocation) == 400
    [line] = allocation.lines.filter(kind="spend")
    assert (line.run_key, line.note) == (books.charge_key(stretch), "alice")
    assert len(machine.asked) == 3
    entry = Entry.objects.get(verb="allocations.charge")
    assert entry.details == {"jobs": 1, "gpu_hours": 400 / 3600}
    assert list(allocation_queries.drift()) == []


def test_what_such_jobs_use_beyond_what_is_left_is_borne_by_the_factory(machine, allocation):
    machine.others = [
        a_record(account=allocation.account, elapsed_s=3000),
        a_record(account=allocation.account, elapsed_s=3000),
    ]

    books.tick(machine)

    assert (spent(allocation), overrun(allocation)) == (3600, 2400)


def test_the_job_of_a_run_is_linked_to_it_and_not_billed_again(machine, allocation):
    run = a_run(allocation=allocation)
    machine.others = [
        a_record(account=allocation.account, key=run.key),
        a_record(account=allocation.account, key=run.key),  # it was started again
    ]

    books.tick(machine)

    assert set(Stretch.objects.values_list("run", "allocation", "awaits_charge")) == {
        (run.pk, allocation.pk, False)
    }
    assert run.stretches.count() == 2
    assert spent(allocation) == 0


def test_a_job_with_the_name_of_a_run_of_another_account_is_billed_where_it_ran(
    machine, allocation
):
    theirs = a_run()
    machine.others = [a_record(account=allocation.account, key=theirs.key, elapsed_s=7)]

    books.tick(machine)

    assert Stretch.objects.get().run is None
    assert spent(allocation) == 7
    assert spent(theirs.allocation) == 0


def test_a_job_without_gpus_is_kept_and_costs_nothing(machine, allocation):
    machine.others = [a_record(account=allocation.account, gpus=0)]

    books.tick(machine)

    assert Stretch.objects.get().gpus == 0
    assert spent(allocation) == 0
    assert not allocation.lines.exclude(kind="grant").exists()


def test_an_account_that_we_do_not_know_is_kept_for_the_report(machine, allocation):
    machine.others = [a_record(account="stranger")]

    books.tick(machine)

    stretch = Stretch.objects.get()
    assert (stretch.allocation, stretch.awaits_charge) == (None, False)


def test_what_was_written_but_not_yet_charged_when_we_were_killed_is_charged_next(
    machine, allocation, monkeypatch
):
    machine.others = [a_record(account=allocation.account, elapsed_s=60)]

    def killed():
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(books, "charge_around", killed)
        with pytest.raises(KeyboardInterrupt):
            books.tick(machine)
    assert Books.objects.get().drawn_until is None  # the watermark did not move
    assert Stretch.objects.get().awaits_charge
    minute_later()
    machine.others = []  # and the machine has forgotten it

    books.tick(machine)

    assert spent(allocation) == 60


def test_an_answer_that_breaks_off_moves_no_watermark_and_loses_nothing(
    machine, allocation, monkeypatch
):
    monkeypatch.setattr(books, "BATCH", 1)
    machine.others = [
        a_record(account=allocation.account, elapsed_s=seconds) for seconds in (1, 2, 4)
    ]
    machine.dies_after = 2

    books.tick(machine)

    assert Books.objects.get().drawn_until is None
    assert Stretch.objects.count() == 2
    machine.dies_after = None
    minute_later()
    books.tick(machine)
    assert spent(allocation) == 7


def test_the_machine_is_asked_once_a_minute_by_whoever_comes_first(machine, allocation):
    books.tick(machine)
    books.tick(machine)
    assert len(machine.asked) == 1

    minute_later()
    books.tick(machine)

    assert len(machine.asked) == 2


def test_each_question_goes_back_ten_minutes_for_clocks_that_differ(machine, allocation):
    books.tick(machine)
    until = Books.objects.get().drawn_until
    late = a_record(account=allocation.account, ended=timedelta(minutes=9), elapsed_s=5)
    ahead = a_record(account=allocation.account, ended=timedelta(minutes=-5), elapsed_s=6)
    machine.others = [late, ahead]
    minute_later()

    books.tick(machine)

    since, to = machine.asked[-1]
    assert until - since == timedelta(minutes=10)
    assert to > timezone.now() + timedelta(minutes=9)
    assert spent(allocation) == 11


def test_the_first_question_goes_back_to_when_hours_were_first_given(machine, allocation):
    books.tick(machine)

    [(since, _until)] = machine.asked
    assert since == Allocation.objects.get().opened_at - timedelta(minutes=10)


def test_a_factory_without_gpu_hours_begins_now(machine):
    books.tick(machine)

    [(since, _until)] = machine.asked
    assert timezone.now() - since < timedelta(minutes=11)


def test_a_month_of_silence_is_walked_in_days_and_none_is_left_out(machine, allocation):
    began = timezone.now() - timedelta(days=30)
    Books.objects.create(pk=1, drawn_until=began)
    machine.others = [
        a_record(account=allocation.account, ended=timedelta(days=days), elapsed_s=1)
        for days in range(30)
    ]

    books.tick(machine)

    assert machine.asked[0][0] == began - timedelta(minutes=10)
    assert all(
        one[1] == two[0] for one, two in zip(machine.asked, machine.asked[1:], strict=False)
    )
    assert {until - since for since, until in machine.asked[:-1]} == {timedelta(days=1)}
    assert spent(allocation) == 30


def test_a_long_walk_gives_the_loop_its_turn_and_goes_on_without_waiting_a_minute(
    machine, allocation, monkeypatch
):
    monkeypatch.setattr(books, "PATIENCE_S", -1)
    Books.objects.create(pk=1, drawn_until=timezone.now() - timedelta(days=3))

    passes = 0
    while len(machine.asked) < 4 and passes < 9:
        books.tick(machine)
        passes += 1

    assert passes == 4
    assert timezone.now() - Books.objects.get().drawn_until < timedelta(minutes=1)


def test_an_accounting_that_was_silent_is_asked_again_for_that_time_for_an_hour(
    machine, allocation
):
    books.tick(machine)
    before = Books.objects.get().drawn_until - timedelta(hours=5)
    Books.objects.update(drawn_until=before)
    machine.down = True
    minute_later()
    books.tick(machine)
    machine.down = False
    minute_later()
    books.tick(machine)
    # It answered, but what ended meanwhile is told only now.
    machine.others = [
        a_record(account=allocation.account, ended=timedelta(hours=4), elapsed_s=50)
    ]
    minute_later()

    books.tick(machine)

    assert spent(allocation) == 50
    Books.objects.update(silent_at=timezone.now() - timedelta(hours=2))
    minute_later()
    books.tick(machine)
    assert Books.objects.get().silent_from is None
    minute_later()
    books.tick(machine)
    assert timezone.now() - machine.asked[-1][0] < timedelta(minutes=11)


def test_a_clock_of_ours_that_was_a_day_ahead_and_is_put_right_loses_no_job(
    machine, allocation
):
    ahead = timezone.now() + timedelta(days=1)
    Books.objects.create(pk=1, drawn_until=ahead)
    machine.others = [a_record(account=allocation.account, elapsed_s=60)]

    books.tick(machine)

    assert spent(allocation) == 60
    assert Books.objects.get().drawn_until == ahead


def test_a_silent_engine_changes_nothing_but_that_it_was_silent(machine, allocation):
    machine.down = True

    books.tick(machine)

    read = Books.objects.get()
    assert (read.drawn_until, read.heard_at) == (None, None)
    assert read.silent_at is not None


def test_hostile_names_are_cut_to_what_a_column_holds(machine, allocation):
    name = "'; DROP TABLE machine_stretch; --\u2028\x1b[31m" * 20
    machine.others = [
        a_record(account=allocation.account, key=name, user="u" * 99, tres="t" * 999)
    ]

    books.tick(machine)

    stretch = Stretch.objects.get()
    assert (stretch.name, stretch.user, stretch.tres) == (name[:200], "u" * 64, "t" * 200)


def test_a_thousand_jobs_of_one_account_are_charged_with_few_questions(
    machine, allocation, django_assert_max_num_queries
):
    machine.others = [a_record(account=allocation.account, elapsed_s=1) for _ in range(1000)]

    with django_assert_max_num_queries(40):
        books.tick(machine)

    assert spent(allocation) == 1000


@pytest.mark.parametrize(
    ("said", "days_ago", "expected"),
    [
        ("", 0, (None, "")),
        ("2020-01-01:700", 0, (60 * 700, "estimated")),
        ("2020-01-01:700, 2026-01-01:500", 0, (60 * 500, "estimated")),
        ("9000-01-01:700", 0, (None, "")),
    ],
)
def test_energy_is_estimated_by_what_holds_on_the_day(
    machine, allocation, settings, said, days_ago, expected
):
    settings.GPU_WATTS = said
    machine.others = [a_record(account=allocation.account, elapsed_s=60)]

    books.tick(machine)

    stretch = Stretch.objects.get()
    assert (stretch.energy_j, stretch.energy_method) == expected


def test_energy_that_was_measured_stays_what_was_measured(machine, allocation, settings):
    settings.GPU_WATTS = "2020-01-01:700"
    told = a_record(account=allocation.account)
    machine.others = [replace(told, energy_j=1234, energy_method="measured")]

    books.tick(machine)

    stretch = Stretch.objects.get()
    assert (stretch.energy_j, stretch.energy_method) == (1234, "measured")


@pytest.mark.parametrize("said", ["700", "2026-01-01:-1", "2026-01-01=700", "today:7"])
def test_a_setting_for_energy_that_says_nothing_is_refused_in_words(
    machine, allocation, settings, said
):
    settings.GPU_WATTS = said
    machine.others = [a_record(account=allocation.account)]

    with pytest.raises(ImproperlyConfigured, match="FABRIEK_GPU_WATTS"):
        books.tick(machine)

"""Two loops at once, in threads, on a database that more than one connection can reach."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fabriek.allocations import queries as allocation_queries
from fabriek.allocations.models import Allocation
from fabriek.engines.fake import Fake
from fabriek.machine import books, nightly
from fabriek.machine.models import Books, Stretch
from tests.factories import an_allocation
from tests.machine.records import a_record
from tests.threads import at_once, many_connections  # noqa: F401

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("many_connections"),
]


@pytest.fixture
def machine():
    allocation = an_allocation(gpu_seconds=3600)
    Allocation.objects.update(opened_at=timezone.now() - timedelta(hours=2))
    books.the_books()
    machine = Fake()
    machine.others = [a_record(account=allocation.account, elapsed_s=3) for _ in range(200)]
    return machine


def test_two_that_draw_at_once_keep_and_charge_each_job_once(machine):
    now = timezone.now()

    at_once(*[lambda: books.draw(machine, now)] * 3)

    allocation = Allocation.objects.get()
    assert Stretch.objects.count() == 200
    assert allocation.gpu_seconds_spent == 600
    assert allocation.lines.filter(kind="spend").count() == 200
    assert list(allocation_queries.drift()) == []


def test_of_two_loops_one_asks_the_machine_and_one_has_the_night(machine):
    asked = at_once(*[lambda: books.tick(machine)] * 2)
    assert sorted(asked) == [False, True]

    at_once(*[lambda: nightly.tick(machine)] * 2)

    assert Books.objects.get().reconciled_on == nightly.night_of(timezone.now())
    assert Allocation.objects.get().gpu_seconds_spent == 600

"""What the machine says and what the ledger says, for the staff of the factory."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from fabriek.engines.fake import Fake
from fabriek.machine import books
from fabriek.machine.models import Books
from tests.factories import a_person, a_run, an_allocation, an_assessor, staff
from tests.machine.records import a_record

pytestmark = pytest.mark.django_db
ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def allocation():
    return an_allocation(gpu_seconds=360_000)


def told(allocation, *, jobs=1):
    machine = Fake()
    machine.others = [
        a_record(account=allocation.account, user=f"<i>u{number}</i>", elapsed_s=7200)
        for number in range(jobs)
    ]
    machine.others += [a_record(account=f"strange{number}") for number in range(jobs)]
    books.draw(machine, timezone.now())


def page(client, *, by):
    client.force_login(by)
    return client.get(reverse("machine:books"), headers=ENGLISH)


def test_staff_read_what_differs_and_what_to_do(client, allocation):
    told(allocation)

    text = page(client, by=staff()).content.decode()

    assert "The machine&#x27;s accounting and the ledger differ in one thing." in text
    assert "alice ran a job under strange0, an account that this factory did not open." in text
    assert "sacctmgr show account strange0" in text
    around = (
        f"&lt;i&gt;u0&lt;/i&gt; submitted a job under {allocation.account} around the portal."
    )
    assert around in text
    assert f'href="{allocation.get_absolute_url()}"' in text


def test_books_that_agree_are_said_to_agree(client, allocation):
    books.draw(Fake(), timezone.now())

    text = page(client, by=staff()).content.decode()

    assert "The machine&#x27;s accounting and the ledger agree." in text
    assert "<table" not in text


def test_a_machine_that_was_never_heard_is_the_first_thing_to_know(client, allocation):
    text = page(client, by=staff()).content.decode()

    assert "The machine&#x27;s accounting was never heard." in text
    assert "fabriek doctor" in text


@pytest.mark.parametrize("somebody", [a_person, an_assessor])
def test_others_are_refused_in_words(client, allocation, somebody):
    told(allocation)

    answer = page(client, by=somebody())

    assert answer.status_code == 403
    assert allocation.account not in answer.content.decode()


def test_who_is_not_signed_in_is_asked_to(client):
    answer = client.get(reverse("machine:books"))

    assert answer.status_code == 302


@pytest.mark.parametrize("jobs", [1, 3])
def test_one_thing_and_three_cost_the_same_questions(
    client, allocation, jobs, django_assert_num_queries
):
    told(allocation, jobs=jobs)
    for _ in range(jobs):
        a_run(
            allocation=allocation,
            state="succeeded",
            elapsed_s=60,
            gpu_seconds_used=60,
            ended_at=timezone.now() - timedelta(hours=3),
        )
    Books.objects.update(drawn_until=timezone.now())
    by = staff()
    client.force_login(by)

    with django_assert_num_queries(10):
        answer = client.get(reverse("machine:books"))

    assert answer.content.decode().count("<tr>") == 2 + 3 * jobs

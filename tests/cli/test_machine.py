"""The machine from a terminal: what the page says, for who does not look at pages."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from fabriek.allocations.models import Line
from fabriek.runs.states import RunState
from tests.factories import a_case, a_person, a_share, an_allocation, an_assessor, staff
from tests.machine.sights import (
    SECRET,
    a_machine,
    a_secret_case,
    look_again,
    running_in,
    uses,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def forgets():
    """Let no test meet what another one's shares gave."""
    cache.clear()


def rows(result):
    """Give what was printed, without the spaces that make columns of it."""
    assert result.exit_code == 0, result.stderr
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


def test_it_tells_of_gpus_the_queue_and_each_computer(fabriek):
    a_machine()

    told = rows(fabriek(a_person(), "machine"))

    assert told[0].startswith("3 GPUs are free.")
    assert told[2:4] == [
        "GPUs 3 free, 7 in use, 6 out of service, of 16",
        "Queue 0 waiting for 0 GPUs, 0 of this factory",
    ]
    assert "gpu2 busy 1 4 h200 -" in told
    assert "gpu4 down 0 4 h200 -" in told
    assert f"gpu4 down 0 4 h200 {SECRET}" in rows(fabriek(staff(), "machine"))


def test_it_tells_where_one_s_own_runs_stand(fabriek):
    a_machine()
    person = a_person()
    case = a_case(lead=person)
    at = timezone.now() + timedelta(days=7)
    waits = {"queue_position": 3, "waiting_reason": "Resources", "starts_expected_at": at}
    uses(case=case, gpus=8, state=RunState.QUEUED, **waits)

    told = rows(fabriek(person, "machine"))

    assert (
        f"{case.runs.get().code} {case.code} queued 8 Your run is third in the queue. The run "
        "starts as soon as what it needs is free. The run is expected to start on "
        f"{timezone.localtime(at):%-d %B %Y}. It may become earlier or later."
    ) in told
    assert f"{case.code} {case.title} 0 0 1" in told


@pytest.mark.parametrize("make", [a_person, staff, an_assessor])
def test_a_confidential_case_of_others_is_not_named(fabriek, make):
    a_machine()
    secrets = a_secret_case()

    told = fabriek(make(), "machine").stdout

    assert [secret for secret in secrets if secret in told] == []
    assert "all other cases" in told


def test_others_are_added_up(fabriek):
    a_machine()
    running_in("care", organisations=3)
    uses(case=a_case(is_confidential=True), gpus=8)
    running_in("water", organisations=2)

    told = rows(fabriek(a_person(), "machine"))

    start = told.index("who running GPUs waiting") + 1
    assert told[start : start + 3] == [
        "others, care 3 3 0",
        "all other cases 3 10 0",
        "in all 6 13 0",
    ]


def test_shares_stand_beside_what_was_agreed(fabriek):
    share = a_share("nl", target_percent=40)
    allocation = an_allocation(share=share)
    Line.objects.create(
        allocation=allocation, key="spend", kind="spend", share=share, gpu_seconds=3600
    )

    assert rows(fabriek(a_person(), "machine"))[-1] == "National share 100% 40%"


def test_a_machine_that_does_not_answer_is_said_to_be_silent(fabriek):
    nothing = rows(fabriek(a_person(), "machine"))
    machine = a_machine()
    machine.down = True
    look_again(machine)

    told = rows(fabriek(a_person(), "machine"))

    assert nothing[0].startswith("The factory has not seen the machine yet.")
    assert told[1].startswith("The machine gives no answer since ")

"""What the machine counted of a run, on its page and by the API."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fabriek.engines.fake import Fake
from fabriek.machine import books
from tests.factories import a_person, a_run
from tests.machine.records import a_record

pytestmark = pytest.mark.django_db
ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def run():
    now = timezone.now()
    return a_run(
        state="succeeded",
        elapsed_s=3600,
        gpu_seconds_used=3600,
        asked_at=now - timedelta(hours=3),
        started_at=now - timedelta(hours=2),
        ended_at=now - timedelta(hours=1),
    )


def told(run, *stretches):
    machine = Fake()
    machine.others = [
        a_record(account=run.allocation.account, key=run.key, elapsed_s=1800, **fields)
        for fields in stretches
    ]
    books.draw(machine, timezone.now())


def answer(client, run, by=None):
    client.force_login(by or run.case.created_by)
    return client.get(f"/api/machine/runs/{run.code}", headers=ENGLISH)


def page(client, run):
    client.force_login(run.case.created_by)
    return client.get(run.get_absolute_url(), headers=ENGLISH).content.decode()


def test_the_stretches_of_a_run_are_added_up(client, run):
    told(
        run,
        {"energy_j": 4_000_000, "energy_method": "measured"},
        {"energy_j": 3_200_000, "energy_method": "measured"},
    )

    assert answer(client, run).json() == {
        "stretches": 2,
        "gpu_seconds": 3600,
        "waited_s": 60,
        "energy_j": 7_200_000,
        "energy_method": "measured",
    }
    text = page(client, run)
    assert "Counted by the machine" in text
    assert "2.0 kWh" in text
    assert "Measured by the machine." in text
    assert "after a wait of 1 hour" in text


def test_energy_is_an_estimate_as_soon_as_a_part_of_it_is(client, run, settings):
    settings.GPU_WATTS = "2020-01-01:100"
    told(run, {"energy_j": 4_000_000, "energy_method": "measured"}, {})

    told_now = answer(client, run).json()

    assert (told_now["energy_j"], told_now["energy_method"]) == (4_180_000, "estimated")
    assert "Estimated from what a GPU of this machine draws." in page(client, run)


def test_energy_that_nobody_measured_is_not_made_up(client, run):
    told(run, {"energy_j": 4_000_000, "energy_method": "measured"}, {})

    told_now = answer(client, run).json()

    assert (told_now["energy_j"], told_now["energy_method"]) == (None, "")
    assert "kWh" not in page(client, run)


def test_a_run_of_which_nothing_was_told_has_no_such_facts(client, run):
    assert answer(client, run).status_code == 404
    assert "Counted by the machine" not in page(client, run)


def test_a_stranger_is_told_nothing(client, run):
    told(run, {})

    assert answer(client, run, by=a_person()).status_code == 404

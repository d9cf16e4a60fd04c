"""What runs drew: the machine's own measure first, then the run's, then a stated rule."""

import pytest
from django.utils import timezone

from fabriek.engines.fake import Fake
from fabriek.machine import books, drawn
from fabriek.registry import card_facts
from fabriek.runs.models import Run
from tests.factories import a_run
from tests.machine.records import a_record

pytestmark = pytest.mark.django_db
MEASURED = {"energy_j": 7_200_000, "energy_method": "measured"}
COUNTERS = {"energy_joules": 3_600_000.0, "energy_gpus": 1}


@pytest.fixture(autouse=True)
def dated(settings):
    settings.GPU_WATTS = "2020-01-01:720"


def told(run, *stretches):
    machine = Fake()
    machine.others = [
        a_record(account=run.allocation.account, key=run.key, elapsed_s=1800, **fields)
        for fields in stretches
    ]
    books.draw(machine, timezone.now())


def over(**fields):
    given = {"state": "succeeded", "gpu_seconds_used": 5_000, "ended_at": timezone.now()}
    return a_run(**given | fields)


def test_what_the_machine_measured_counts_before_the_counters_of_the_gpus():
    run = over(measured=COUNTERS)

    before = drawn.of(run)
    told(run, MEASURED)
    after = drawn.of(run)

    assert (before.said, before.method) == ("1.00 kWh", "Measured by the GPUs' own counters.")
    assert (after.said, after.method) == ("2.00 kWh", "Measured by the machine.")


def test_an_estimate_of_the_machine_does_not_hide_what_was_measured():
    run = over(measured=COUNTERS)

    told(run, {})

    assert drawn.of(run).said == "1.00 kWh"


def test_the_sum_of_a_case_names_each_way_once():
    allocation = over().allocation
    over(allocation=allocation)
    over(allocation=allocation, measured=COUNTERS)
    told(over(allocation=allocation), MEASURED)

    sums = {one.method: one.said for one in drawn.of_case(allocation.case_id)}

    assert sums == {
        "Estimated: the time on the processor times 720 watt.": "2.00 kWh",
        "Measured by the GPUs' own counters.": "1.00 kWh",
        "Measured by the machine.": "2.00 kWh",
    }


def test_a_case_without_runs_has_no_sum():
    run = a_run(gpu_seconds_used=None)

    assert drawn.of_case(run.case_id) == []


def test_what_a_model_took_counts_the_runs_that_were_paused_before_it():
    paused = over(state="cancelled", reason="paused", gpu_seconds_used=10_000)
    last = over(allocation=paused.allocation, continues=paused, measured=COUNTERS)

    both = drawn.of_line(last)

    assert (both.said, drawn.of(last).said) == ("3.00 kWh", "1.00 kWh")
    assert both.method == (
        "Measured by the GPUs' own counters. "
        "Estimated: the time on the processor times 720 watt. "
        "Together with the runs that it goes on from."
    )
    told = card_facts.of_run(Run.objects.get(pk=last.pk), base=None, parameters=1)
    assert told.energy == f"3.00 kWh. {both.method}"
    assert (told.gpu_seconds_used, told.is_continued) == (15_000, True)


def test_the_card_says_it_in_english_with_its_method():
    run = Run.objects.get(pk=over(measured=COUNTERS).pk)

    assert card_facts.energy_of(run) == "1.00 kWh. Measured by the GPUs' own counters."

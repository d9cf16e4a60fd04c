"""What is left of a run that ended early: what going on sets aside, and how long it takes."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fabriek.allocations import actions as allocations
from fabriek.runs import actions, left, queries
from fabriek.runs.models import Run
from tests.factories import a_run
from tests.runs.test_while_it_runs import saved, text_of
from tests.runs.world import seen_again

pytestmark = pytest.mark.django_db

# It learned half of its 400 steps in 1,000 s, and 50 s came before; the whole held 9,000 s.
LEARNED = {
    "stage": "Learning",
    "progress_done": 200,
    "progress_total": 400,
    "elapsed_s": 1_050,
    "timeout_s": 9_000,
    "gpu_seconds_estimated": 3_000,
}
ANSWERED = LEARNED | {"recipe": "batch_predict", "stage": "Writing answers"}
OWN = {"recipe": "script", "timeout_s": 36_000, "elapsed_s": 30_000}


def ended(took_s=1_000, **fields):
    now = timezone.now()
    at = {"stage_at": now - timedelta(seconds=took_s), "progress_at": now}
    return a_run(**{"state": "cancelled", "reason": "paused", **LEARNED, **at, **fields})


@pytest.mark.parametrize(
    ("fields", "step", "held_s"),
    [
        ({}, 200, 2 * (1_000 + 2 * 50)),
        ({}, 100, 2 * (1_500 + 2 * 50)),  # from an earlier point more is left
        ({"progress_done": 399}, 399, 600),  # no less than a start takes
        ({"timeout_s": 1_200}, 200, 1_200),  # no more than the whole
        ({"timeout_s": 1_200, "state": "failed", "reason": "timeout"}, 200, 2_220),  # too short
        ({"starts": 2}, 200, 9_000),  # from where its last part went on is not told
        ({"stage": "Scoring after"}, 200, 9_000),
        ({"progress_total": 0}, 200, 9_000),
        (ANSWERED, None, 600 + 2 * 1_050),
        (OWN, None, 6_000),
        (
            OWN | {"state": "failed", "reason": "exit"},
            None,
            36_000,
        ),  # nobody knows what it saved
    ],
)
def test_what_is_left_is_set_aside_and_no_more(fields, step, held_s):
    assert left.timeout_s(ended(**fields), step) in range(held_s, held_s + 60)


def test_a_run_that_went_on_is_measured_by_its_own_steps():
    first = ended()
    second = ended(took_s=100, continues=first, continues_step=190, elapsed_s=110)

    assert left.timeout_s(second, 200) in range(2 * (2_000 + 2 * 10), 2 * 2_020 + 60)
    assert queries.seconds_left(second) == pytest.approx(100 / 10 * 200, abs=2)


def test_the_page_and_programs_say_what_going_on_holds(world, browser, program):
    run = world.ask(timeout_s=9_000, knobs={"size": "base", "epochs": 50})
    now = timezone.now()
    Run.objects.filter(pk=run.pk).update(
        **LEARNED,
        state="cancelled",
        reason="paused",
        stage_at=now - timedelta(seconds=1_000),
        progress_at=now,
    )
    saved(run, 100, 200)
    page = text_of(browser(world.person).get(f"/runs/{run.code}/"))
    told = program(world.person).get(f"/api/runs/{run.code}").json()["next_steps"]
    allocations.settle(world.allocation, run_key=run.key, gpu_seconds_used=1_050)

    onward = actions.go_on(seen_again(run), by=world.person)

    assert onward.gpu_seconds_held == world.held() == 2_220
    assert onward.gpu_seconds_estimated < run.gpu_seconds_estimated
    assert onward.continues_step == 200
    said = "For what is left 0.62 GPU-hours are set aside; what is not used comes back."
    assert said in page
    assert "Go on from step 100 0.90 GPU-hours set aside" in page
    assert said in next(one["sentence"] for one in told if one["name"] == "continue")

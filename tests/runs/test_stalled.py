"""A run that makes no step: told while it lives, and mended once it was ended."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fabriek.runs import actions, mending, show, silence
from fabriek.runs.models import Run
from tests.factories import a_run
from tests.runs.test_pages import text_of
from tests.runs.test_while_it_runs import failed, saved
from tests.runs.world import seen_again

pytestmark = pytest.mark.django_db
STALLED = {"code": "stalled", "text": "Step 4 did not end.", "msgid": "", "values": {}}


def at_work(world, *, silent_s, step_s=2.0, done=100, **fields):
    told = timezone.now() - timedelta(seconds=silent_s)
    columns = {
        "state": "running",
        "stage": "Learning",
        "stage_at": told - timedelta(seconds=done * step_s),
        "progress_at": told,
        "progress_done": done,
        "progress_total": 1_000,
    }
    return a_run(allocation=world.allocation, **(columns | fields))


def test_a_run_without_a_step_for_long_says_so_with_what_to_do(world, browser):
    run = at_work(world, silent_s=3_000)

    page = text_of(browser(world.person).get(f"/runs/{run.code}/"))

    assert "The run made no step for 50 minutes, where a step takes about 2 seconds." in page
    assert "Stop it, and continue from its last checkpoint." in page


@pytest.mark.parametrize(
    "fields",
    [
        {"silent_s": 800},
        {"silent_s": 3_000, "step_s": 200},
        {"silent_s": 3_000, "step_s": 2_000},
        {"silent_s": 3_000, "state": "queued"},
        {"silent_s": 3_000, "progress_done": 1_000},
        {"silent_s": 3_000, "progress_at": None},
        {"silent_s": 3_000, "done": 2},
        {"silent_s": 3_000, "cancel_asked_at": timezone.now()},
    ],
    ids=str,
)
def test_a_run_that_may_well_be_at_work_is_left_in_peace(world, fields):
    assert silence.quiet(at_work(world, **fields)) is None


def test_a_long_look_at_rows_kept_apart_is_no_silence(world):
    hours = at_work(world, silent_s=1_200, done=50_000)

    assert silence.quiet(hours) is None


def test_what_stalled_goes_on_from_its_last_checkpoint_first(world, browser):
    run = failed(world, STALLED)
    saved(run, 10)

    buttons = show.buttons(world.person, run, inside=True)
    page = text_of(browser(world.person).get(f"/runs/{run.code}/"))

    assert show.main(run, buttons).name == "continue"
    assert "Step 4 did not end." in page


def test_over_several_nodes_one_node_is_proposed(world, program):
    run = failed(world, STALLED)
    Run.objects.filter(pk=run.pk).update(gpus=8, nodes=2)
    run = seen_again(run)

    found = mending.proposed(run)
    told = program(world.person).get(f"/api/runs/{run.code}").json()

    assert found.said == "4 GPUs on one node"
    assert found.places == {"gpus": 4, "nodes": 1}
    assert told["mending"] == {"gpus": 4, "nodes": 1}
    step = mending.step(run)
    assert "gpus=4" in step.url
    assert "nodes=1" in step.url


def test_the_button_of_programs_starts_on_one_node_too(world):
    run = failed(world, STALLED)
    Run.objects.filter(pk=run.pk).update(gpus=2, nodes=2)

    again = actions.mend(seen_again(run), by=world.person)

    assert (again.gpus, again.nodes) == (1, 1)


def test_on_one_node_no_setting_of_a_language_model_helps(world):
    assert mending.proposed(failed(world, STALLED)) is None

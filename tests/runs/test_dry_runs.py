"""A dry run: asked for as any run, on few GPUs, and what it measured corrects the price."""

import re

import pytest

from fabriek.engines.base import Phase, Sighting
from fabriek.kernel.errors import Invalid
from fabriek.registry.queries import awaiting_registration
from fabriek.runs import actions, energy, folders, offers
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek_recipes.run_folder import read_manifest
from tests.factories import a_person, a_run
from tests.runs.test_pages import FORM, text_of, typed
from tests.runs.world import events, passes, seen_again

pytestmark = pytest.mark.django_db

STEPS = {"steps": 10, "seconds_per_step": 4.0, "tokens_per_step": 1_000, "memory_bytes": 7e9}


def measured(run, **figures):
    Run.objects.filter(pk=run.pk).update(measured=figures, state=RunState.SUCCEEDED)


def test_a_dry_run_is_one_gpu_for_some_minutes_and_says_so_to_the_recipe(world):
    run = world.ask(is_dry=True, gpus=4, timeout_s=86_400)

    folders.prepare(run)

    limits = read_manifest(run.folder).limits
    assert (run.gpus, run.timeout_s, run.gpu_seconds_held) == (1, 900, 900)
    assert (limits.gpus, limits.timeout_s, limits.steps_max) == (1, 900, 10)
    assert run.gpu_seconds_estimated <= 120
    assert world.held() == 900


def test_where_one_gpu_is_too_small_it_takes_those_asked_for_or_says_what_to_do(
    world, settings
):
    settings.ENGINE, settings.SLURM_DEVICE, settings.GPU_MEMORY_GB = "slurm", "cuda", 8
    huge = {"knobs": {"size": "huge"}}

    run = world.ask(**huge, gpus=4, is_dry=True)
    measured(run, **STEPS)
    four = actions.price_for(world.wish(**huge, gpus=4), case=world.case, by=world.person)
    eight = actions.price_for(world.wish(**huge, gpus=8), case=world.case, by=world.person)
    small = world.ask(gpus=4, is_dry=True)

    assert (run.gpus, run.gpu_seconds_held, small.gpus) == (4, 3_600, 1)
    assert four.measured.endswith("250 tokens a second on 4 GPUs, 7 GB of memory.")
    assert (four.memory_bytes, eight.memory_bytes < 7e9) == (7e9, True)
    with pytest.raises(Invalid, match="Ask for 4 GPUs"):
        world.ask(**huge, is_dry=True)


def test_an_ordinary_run_has_no_limit_of_steps(world):
    run = world.ask()

    folders.prepare(run)

    assert read_manifest(run.folder).limits.steps_max == 0


def test_what_it_measured_is_kept_and_no_model_waits(world, engine):
    run = world.ask(is_dry=True)
    passes(engine)
    events(run, {"at": 1, "kind": "measured", "figures": STEPS})
    engine.move(run.key, Sighting(Phase.SUCCEEDED, 30, exit_code=0))

    passes(engine, 2)

    over = seen_again(run)
    assert over.state == RunState.SUCCEEDED
    assert over.measured == STEPS
    assert over.gpu_seconds_used == 30
    assert not awaiting_registration().exists()


def test_it_corrects_the_price_of_the_same_settings_only(world):
    before = actions.price_for(world.wish(), case=world.case, by=world.person)
    measured(world.ask(is_dry=True), **STEPS)

    same = actions.price_for(world.wish(), case=world.case, by=world.person)
    more = {"size": "tiny", "epochs": 50}
    longer = actions.price_for(world.wish(knobs=more), case=world.case, by=world.person)
    other = {"size": "mini"}
    larger = actions.price_for(world.wish(knobs=other), case=world.case, by=world.person)

    assert same.gpu_seconds > before.gpu_seconds
    longer_s = same.gpu_seconds - before.gpu_seconds
    assert learning_s(same) - learning_s(before) == pytest.approx(longer_s, abs=1)
    assert same.memory_bytes == 7e9
    assert same.measured.endswith("250 tokens a second on one GPU, 7 GB of memory.")
    assert longer.gpu_seconds > same.gpu_seconds
    assert larger.measured == ""


def learning_s(price):
    (told,) = [one for one in price.why if one.startswith("Learning takes about ")]
    return int(re.search(r"[\d,]+", told)[0].replace(",", ""))


@pytest.mark.parametrize("wrong", [-1.0, 0.0, 1e300, None])
def test_a_figure_that_cannot_be_corrects_nothing(world, wrong):
    before = actions.price_for(world.wish(), case=world.case, by=world.person)
    measured(world.ask(is_dry=True), **STEPS | {"seconds_per_step": wrong})

    assert actions.price_for(world.wish(), case=world.case, by=world.person) == before


def test_the_measurement_of_another_case_stays_there(world):
    theirs = a_run(
        recipe="pretrain_lm",
        knobs=offers.checked_knobs(offers.recipe("pretrain_lm"), {"size": "tiny"}).model_dump(),
        is_dry=True,
    )
    measured(theirs, **STEPS)

    cost = actions.price_for(world.wish(), case=world.case, by=world.person)

    assert cost.measured == ""


def test_the_button_of_the_form_starts_a_dry_run(world, browser):
    answer = browser(world.person).post(
        FORM.format(world.case.code), typed(world, dry="1", gpus="2"), follow=True
    )

    run = Run.objects.get()
    assert (run.is_dry, run.gpus) == (True, 1)
    assert "is on its way. When it is over, the price is corrected." in text_of(answer)
    assert "Dry run It makes no model: it measures ten steps." in text_of(answer)


def test_programs_ask_for_one_too(world, program):
    wish = {
        "case": world.case.code,
        "recipe": "pretrain_lm",
        "knobs": {"size": "tiny"},
        "inputs": {"dataset": world.revision.repository.code},
        "dry_run": True,
    }

    told = program(world.person).post("/api/runs/", wish, content_type="application/json")

    assert told.status_code == 201
    assert (told.json()["is_dry"], told.json()["timeout_s"]) == (True, 900)


def test_a_stranger_starts_none(world, program):
    wish = {"case": world.case.code, "recipe": "pretrain_lm", "dry_run": True}

    answer = program(a_person()).post("/api/runs/", wish, content_type="application/json")

    assert answer.status_code == 404
    assert Run.objects.count() == 0


def test_a_recipe_without_steps_refuses(world, monkeypatch):
    recipe = offers.known("lab")
    assert not recipe.has_dry_run

    with pytest.raises(Invalid, match="This recipe has no dry run"):
        actions.price(world.wish(recipe="lab", knobs={}, is_dry=True))


# --- energy -----------------------------------------------------------------------------------
def test_energy_is_what_the_counters_say_or_else_the_stated_rule(world, settings):
    settings.GPU_WATTS = "2020-01-01:720"
    counted = Run(gpus=1, measured={"energy_joules": 7_200_000, "energy_gpus": 1})
    half = Run(gpus=2, measured={"energy_joules": 3_600_000, "energy_gpus": 1})
    billed = Run(gpus=1, gpu_seconds_used=5_000, measured={})

    assert energy.used(counted).said == "2.00 kWh"
    assert energy.used(counted).method == "Measured by the GPUs' own counters."
    assert energy.used(half).watt_hours == 2_000
    assert "1 of 2 GPUs" in energy.used(half).method
    assert energy.used(billed).watt_hours == 1_000
    assert "times 720 watt" in energy.used(billed).method
    assert energy.used(Run(measured={})) is None


def test_a_run_that_was_started_again_drew_both_times(world, engine):
    run = world.ask()
    passes(engine)
    line = {"at": 1, "kind": "measured", "figures": {"energy_joules": 100.0, "energy_gpus": 1}}

    events(run, line)
    passes(engine)
    events(run, line)
    passes(engine)

    assert seen_again(run).measured == {"energy_joules": 200.0, "energy_gpus": 1}


def test_the_page_of_a_case_adds_up_what_its_runs_drew(world, browser, settings):
    settings.GPU_WATTS = "2020-01-01:720"
    for used in (5_000, 10_000):
        a_run(allocation=world.allocation, gpu_seconds_used=used)
    counted = a_run(allocation=world.allocation, gpu_seconds_used=1)
    measured(counted, energy_joules=3_600_000.0, energy_gpus=1)

    page = text_of(browser(world.person).get(f"/cases/{world.case.code}/"))

    assert "3.00 kWh Estimated: the time on the processor times 720 watt." in page
    assert "1.00 kWh Measured by the GPUs" in page

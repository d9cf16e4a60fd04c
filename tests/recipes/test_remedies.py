"""What recipes propose to change after a failure: one setting, never one that is refused."""

import pytest

from fabriek_recipes.pretrain_lm.shapes import RATES
from fabriek_recipes.recipe import catalogue
from fabriek_recipes.remedies import changes


def proposed(code, recipe, **knobs):
    return changes(code, catalogue()[recipe].knobs(**knobs))


@pytest.mark.parametrize("code", ["nan_loss", "diverged"])
def test_a_loss_that_ran_away_asks_for_a_tenth_of_the_rate(code):
    assert proposed(code, "finetune_lm", learning_rate=0.0003) == {"learning_rate": 0.00003}


def test_a_rate_that_was_left_to_the_recipe_becomes_a_tenth_of_what_is_usual():
    (rate,) = proposed("nan_loss", "pretrain_lm").values()

    assert rate == pytest.approx(RATES["mini"] / 10)
    assert proposed("diverged", "pretrain_lm", method="full") == {"learning_rate": 5e-6}


def test_a_rate_that_cannot_be_lower_is_not_proposed():
    assert proposed("nan_loss", "finetune_lm", learning_rate=2e-6) == {}


def test_too_little_memory_halves_the_step_and_rows_that_no_longer_fit_in_it():
    assert proposed("out_of_memory", "finetune_lm", tokens_per_step=4096) == {
        "tokens_per_step": 2048
    }
    assert proposed(
        "out_of_memory", "finetune_lm", tokens_per_step=1024, tokens_per_row_max=1024
    ) == {"tokens_per_step": 512, "tokens_per_row_max": 512}


def test_when_steps_are_as_short_as_they_get_a_small_addition_takes_less_memory():
    small = {"tokens_per_step": 256, "tokens_per_row_max": 256}

    assert proposed("out_of_memory", "finetune_lm", method="full", **small) == {
        "method": "lora"
    }
    assert proposed("out_of_memory", "finetune_lm", method="lora", **small) == {}


@pytest.mark.parametrize(
    ("recipe", "setting"),
    [("classify_text", "rows_per_step"), ("classify_images", "pictures_per_step")],
)
def test_steps_of_rows_or_pictures_are_halved_too(recipe, setting):
    assert proposed("out_of_memory", recipe, **{setting: 16}) == {setting: 8}
    assert setting not in proposed("out_of_memory", recipe, **{setting: 1})


def test_pictures_that_are_read_in_the_midst_of_steps_are_kept_instead():
    assert proposed("stalled", "classify_images") == {"pictures_kept_gib": 4}
    assert proposed("stalled", "classify_images", pictures_kept_gib=64) == {}
    assert proposed("stalled", "finetune_lm") == {}


def test_what_no_setting_mends_proposes_nothing():
    assert proposed("disk_full", "finetune_lm") == {}
    assert proposed("out_of_memory", "forecast") == {}


@pytest.mark.parametrize("recipe", catalogue())
@pytest.mark.parametrize("code", ["nan_loss", "diverged", "out_of_memory", "stalled"])
def test_what_is_proposed_is_allowed_by_every_recipe(recipe, code):
    schema = catalogue()[recipe].knobs
    required = {name: "x" for name, field in schema.model_fields.items() if field.is_required()}
    knobs = schema(**required)

    found = changes(code, knobs)

    schema.model_validate({**knobs.model_dump(), **found})

"""What recipes propose to change after a failure: one setting, never one that is refused."""

import pytest

from fabriek_recipes.recipe import catalogue
from fabriek_recipes.remedies import changes


def proposed(code, recipe, **knobs):
    return changes(code, catalogue()[recipe].knobs(**knobs))


@pytest.mark.parametrize("code", ["nan_loss", "diverged"])
def test_a_loss_that_ran_away_asks_for_a_tenth_of_the_rate(code):
    assert proposed(code, "finetune_lm", learning_rate=0.0003) == {"learning_rate": 0.00003}


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


def test_what_no_setting_mends_proposes_nothing():
    assert proposed("disk_full", "finetune_lm") == {}
    assert proposed("out_of_memory", "forecast") == {}


@pytest.mark.parametrize("recipe", catalogue())
@pytest.mark.parametrize("code", ["nan_loss", "diverged", "out_of_memory"])
def test_what_is_proposed_is_allowed_by_every_recipe(recipe, code):
    schema = catalogue()[recipe].knobs
    required = {name: "x" for name, field in schema.model_fields.items() if field.is_required()}
    knobs = schema(**required)

    found = changes(code, knobs)

    schema.model_validate({**knobs.model_dump(), **found})

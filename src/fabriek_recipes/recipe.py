"""The recipes offered, by name."""

from __future__ import annotations

from fabriek_recipes.batch_predict.knobs import RECIPE as BATCH_PREDICT
from fabriek_recipes.classify_images.knobs import RECIPE as CLASSIFY_IMAGES
from fabriek_recipes.classify_text.knobs import RECIPE as CLASSIFY_TEXT
from fabriek_recipes.evaluate.knobs import RECIPE as EVALUATE
from fabriek_recipes.finetune_lm.knobs import RECIPE as FINETUNE_LM
from fabriek_recipes.forecast.knobs import RECIPE as FORECAST
from fabriek_recipes.kinds import Device, Estimate, Facts, Input, InputKind, Recipe
from fabriek_recipes.lab.knobs import RECIPE as LAB
from fabriek_recipes.prefer_lm.knobs import RECIPE as PREFER_LM
from fabriek_recipes.pretrain_lm.knobs import RECIPE as PRETRAIN_LM
from fabriek_recipes.script.knobs import RECIPE as SCRIPT
from fabriek_recipes.tabular.knobs import RECIPE as TABULAR
from fabriek_recipes.try_model.knobs import RECIPE as TRY_MODEL

__all__ = [
    "Device",
    "Estimate",
    "Facts",
    "Input",
    "InputKind",
    "Recipe",
    "catalogue",
    "runnable",
]


def catalogue() -> dict[str, Recipe]:
    """Give every recipe that works by itself under its name, in the order to meet them."""
    return {
        recipe.name: recipe
        for recipe in (
            FINETUNE_LM,
            PREFER_LM,
            EVALUATE,
            BATCH_PREDICT,
            PRETRAIN_LM,
            TABULAR,
            CLASSIFY_TEXT,
            FORECAST,
            CLASSIFY_IMAGES,
            SCRIPT,
        )
    }


def runnable() -> dict[str, Recipe]:
    """Give all that a run can be of: every recipe, and interactive work."""
    return {**catalogue(), LAB.name: LAB, TRY_MODEL.name: TRY_MODEL}

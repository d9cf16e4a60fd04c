"""The recipes offered, by name."""

from __future__ import annotations

from fabriek_recipes.finetune_lm.knobs import RECIPE as FINETUNE_LM
from fabriek_recipes.kinds import Device, Estimate, Facts, Input, InputKind, Recipe
from fabriek_recipes.lab.knobs import RECIPE as LAB
from fabriek_recipes.pretrain_lm.knobs import RECIPE as PRETRAIN_LM

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
    return {recipe.name: recipe for recipe in (FINETUNE_LM, PRETRAIN_LM)}


def runnable() -> dict[str, Recipe]:
    """Give all that a run can be of: every recipe, and interactive work."""
    return {**catalogue(), LAB.name: LAB}

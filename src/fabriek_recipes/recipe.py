"""The recipes offered, by name."""

from __future__ import annotations

from fabriek_recipes.finetune_lm.knobs import RECIPE as FINETUNE_LM
from fabriek_recipes.kinds import Device, Estimate, Facts, Input, InputKind, Recipe
from fabriek_recipes.pretrain_lm.knobs import RECIPE as PRETRAIN_LM

__all__ = ["Device", "Estimate", "Facts", "Input", "InputKind", "Recipe", "catalogue"]


def catalogue() -> dict[str, Recipe]:
    """Give every recipe under its name, in the order people should meet them."""
    return {recipe.name: recipe for recipe in (FINETUNE_LM, PRETRAIN_LM)}

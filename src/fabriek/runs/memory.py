"""Whether a run fits in memory, and which setting to turn when it does not."""

import os
from dataclasses import replace

from django.conf import settings
from django.utils.translation import gettext as _
from pydantic import BaseModel

from fabriek.kernel.words import number, size
from fabriek.runs import engine, room
from fabriek_recipes.kinds import Facts, Recipe
from fabriek_recipes.memory import SPARE

GB = 10**9
TOKENS_LEAST = 256
# More than one run of ours should need to hold a model.
GPUS_MOST = 64
PER_STEP, METHOD, HELD = "tokens_per_step", "method", "weights_held"


def there_bytes() -> int:
    """Give how much one GPU has, or a machine without GPUs; 0 where nobody said."""
    if settings.GPU_MEMORY_GB:
        return int(settings.GPU_MEMORY_GB * GB)
    if engine.device() == "cpu":
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 0


def of_gpu_bytes() -> int:
    """Give how much one GPU has; 0 where nobody said, or there is none."""
    return there_bytes() if engine.device() == "cuda" else 0


def too_little(recipe: Recipe, knobs: BaseModel, facts: Facts) -> str:
    """Say that it will not fit, and what to change; nothing where it fits or nobody knows."""
    there = there_bytes()
    needed = recipe.estimate(knobs, facts).memory_bytes
    if not there or needed <= there:
        return ""
    said = {"needed": size(needed), "there": size(there)}
    trouble = (
        _("It needs about %(needed)s of memory and this machine has %(there)s.")
        if facts.device == "cpu"
        else _("It needs about %(needed)s of memory and one GPU has %(there)s.")
    )
    return f"{trouble % said} {_way_out(recipe, knobs, facts, there)}"


def _way_out(recipe: Recipe, knobs: BaseModel, facts: Facts, there: int) -> str:
    """Try out which setting helps, the one that changes the result least first."""
    tokens = getattr(knobs, PER_STEP, 0) // 2
    while tokens >= TOKENS_LEAST:
        fewer = knobs.model_copy(update={PER_STEP: tokens})
        if recipe.estimate(fewer, facts).memory_bytes <= there:
            return _("Lower “Tokens per step” to %(tokens)s.") % {"tokens": number(tokens)}
        tokens //= 2
    if gpus := _enough_gpus(recipe, knobs, facts, there):
        return _("Ask for %(gpus)d GPUs: the weights are then divided over them.") % {
            "gpus": gpus
        }
    if getattr(knobs, METHOD, "") == "full":
        lora = knobs.model_copy(update={METHOD: "lora"})
        if recipe.estimate(lora, facts).memory_bytes <= there:
            return _("Choose as method “A small addition (LoRA)”.")
    return _("No setting makes it fit: choose a smaller model.")


def _enough_gpus(recipe: Recipe, knobs: BaseModel, facts: Facts, there: int) -> int:
    """Give over how many GPUs the weights would have to be divided; 0 where that helps not."""
    divides = getattr(knobs, HELD, "copies") != "copies"
    if not divides or facts.device == "cpu" or not facts.gpu_memory_bytes:
        return 0
    gpus, most = max(2, facts.gpus * 2), room.gpus_most() or GPUS_MOST
    while gpus <= min(most, GPUS_MOST):
        if recipe.estimate(knobs, replace(facts, gpus=gpus)).memory_bytes <= there * SPARE:
            return gpus
        gpus *= 2
    return 0

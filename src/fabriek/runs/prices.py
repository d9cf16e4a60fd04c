"""The price of a run before its start: the recipe's estimate, and what is held for it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil

from django.utils.translation import gettext as _
from pydantic import BaseModel

from fabriek.kernel.errors import Invalid
from fabriek.people.models import Person
from fabriek.runs import counted, energy, memory, offers, tried
from fabriek.runs.energy import Energy
from fabriek.runs.tried import Tried
from fabriek.runs.words import told
from fabriek.store.models import Revision
from fabriek_recipes.kinds import Estimate, Recipe

# A run may take this much longer than estimated before the engine stops it; what it does not
# use is given back.
PATIENCE = 3
TIMEOUT_MIN_S = 600
# An estimate may be so many times too high: only beyond that it is sure that nothing fits.
SURE = 1.5
TIMEOUT_MAX_S = 7 * 24 * 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Extent:
    """How much of the machine, for how long, and from which share of its steps to which."""

    gpus: int
    timeout_s: int | None = None
    since_share: float = 0.0
    until_share: float = 1.0

    @property
    def share(self) -> float:
        return max(0.0, self.until_share - self.since_share)


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """What a run will cost (about), and what is held for it (at most).

    `warnings`: what somebody should know of its data before it costs anything.
    `memory_note`: that it will not fit, and what to change. `measured`: by which dry run.
    `is_secure`: it goes to the secure part of the machine, as its data asks.
    """

    gpus: int
    gpu_seconds: int
    gpu_seconds_held: int
    timeout_s: int
    memory_bytes: int
    why: tuple[str, ...]
    energy: Energy
    memory_note: str = ""
    measured: str = ""
    warnings: tuple[str, ...] = ()
    is_secure: bool = False


def price(
    recipe: Recipe,
    knobs: BaseModel,
    inputs: Mapping[str, Revision],
    *,
    extent: Extent,
    found: Tried | None = None,
    by: Person | None = None,
) -> Price:
    """Estimate a run on what it will really read, by the recipe's own formula.

    Interactive work takes as long as was asked for, and own code at most: that is the price.

    Raises: Invalid, where looking at the rows told already that the run would refuse them.
    """
    looked_at = {} if recipe.lasts_as_asked else inputs
    gpus, timeout_s = extent.gpus, extent.timeout_s
    looked = offers.facts_of(recipe, looked_at, gpus=gpus, by=by)
    count = counted.of_inputs(recipe, knobs, inputs)
    counted.require_fit(recipe, knobs, count)
    seen = counted.with_lengths(looked, recipe, count)
    seen = replace(seen, is_part=extent.until_share < 1, gpu_memory_bytes=memory.of_gpu_bytes())
    estimate: Estimate = recipe.estimate(knobs, seen)
    if found:
        estimate = tried.corrected(estimate, found, recipe=recipe, knobs=knobs, facts=seen)
    gpu_seconds = _of_extent(estimate, extent)
    if recipe.lasts_as_asked:
        timeout_s = timeout_s or ceil(gpu_seconds / gpus)
        gpu_seconds = gpus * timeout_s
    timeout_s = timeout_s or _patience(gpu_seconds / gpus)
    return Price(
        gpus=gpus,
        gpu_seconds=gpu_seconds,
        gpu_seconds_held=gpus * timeout_s,
        timeout_s=timeout_s,
        memory_bytes=estimate.memory_bytes,
        why=tuple(told(sentence) for sentence in estimate.why),
        measured=found.says() if found else "",
        energy=energy.expected(gpu_seconds),
        memory_note="" if recipe.lasts_as_asked else memory.too_little(recipe, knobs, seen),
    )


def dry(cost: Price, recipe: Recipe) -> Price:
    """Make it the price of a dry run of the same.

    Raises:
        Invalid: the recipe has none, or it would surely run out of memory.
    """
    if not recipe.has_dry_run:
        raise Invalid(_("This recipe has no dry run. Start it as it is."), code="no_dry_run")
    if cost.memory_note and cost.memory_bytes > SURE * memory.there_bytes():
        raise Invalid(cost.memory_note, code="too_large")
    gpu_seconds = min(cost.gpu_seconds, tried.GPU_SECONDS * cost.gpus)
    return replace(
        cost,
        gpu_seconds=gpu_seconds,
        gpu_seconds_held=cost.gpus * cost.timeout_s,
        energy=energy.expected(gpu_seconds),
    )


def _of_extent(estimate: Estimate, extent: Extent) -> int:
    """Price a part of the steps; of a recipe that does not learn, of the whole."""
    partly = estimate.learning_s * extent.gpus or estimate.gpu_seconds
    return max(1, ceil(estimate.gpu_seconds - partly * (1 - extent.share)))


def _patience(estimated_s: float) -> int:
    minutes = ceil(estimated_s * PATIENCE / 60)
    return min(max(TIMEOUT_MIN_S, minutes * 60), TIMEOUT_MAX_S)

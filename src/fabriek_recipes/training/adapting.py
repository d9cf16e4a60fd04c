"""How a base model is changed, by an addition or whole, and how it is left for others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, Protocol

import torch

from fabriek_recipes.kinds import Facts
from fabriek_recipes.knobs import WIDTH_MIN
from fabriek_recipes.memory import Holding, Need
from fabriek_recipes.training import holding, lora, saving, shards
from fabriek_recipes.training.base import Base, hollow, kinds_of, load
from fabriek_recipes.training.process import Job, K
from fabriek_recipes.words import _

WIDTH_STEP = 64


class Adapting(Protocol):
    """The settings by which a recipe changes a base model."""

    @property
    def method(self) -> Literal["lora", "full"]:
        """Say what is trained."""

    @property
    def weights_held(self) -> Holding:
        """Say whether each process holds a copy of all weights."""

    @property
    def lora_rank(self) -> int:
        """Give the width of the addition."""

    @property
    def lora_alpha(self) -> int:
        """Give how strongly it counts."""

    @property
    def lora_dropout(self) -> float:
        """Give the share of it that is switched off at random."""


def addition(knobs: Adapting) -> lora.Lora | None:
    """Give what is added to the base model; nothing where every weight is trained."""
    if knobs.method == "full":
        return None
    return lora.Lora(rank=knobs.lora_rank, alpha=knobs.lora_alpha, dropout=knobs.lora_dropout)


def flop_per_token(method: str, parameters: int) -> int:
    """Count what learning costs: frozen weights need no slopes of their own."""
    return (6 if method == "full" else 4) * parameters


def width_for(longest: int) -> int:
    """Give how wide rows are packed when the longest text is so long."""
    return max(WIDTH_MIN, -(-longest // WIDTH_STEP) * WIDTH_STEP)


def prepared(
    job: Job[K],
    knobs: Adapting,
    device: torch.device,
    need: Callable[[K, Facts], Need],
) -> tuple[Base, lora.Lora | None]:
    """Load the base model, add what is to learn, and divide it where a copy does not fit.

    An addition is nothing as long as it has not learned: the model still answers as its base.

    Raises:
        Failed: `bad_model`, `no_linear`.
    """
    divides = holding.is_divided(job, device, need, knobs.weights_held)
    frozen = knobs.method == "lora"
    if divides:
        base = _aside(job, device, frozen=frozen)
    else:
        base = load(job.input("model"), device, frozen=frozen)
    added = addition(knobs)
    if added:
        lora.attach(base.model, added)
    if divides:
        shards.divide(base.model, device, job.group)
    return base, added


def _aside(job: Job[K], device: torch.device, *, frozen: bool) -> Base:
    """Let the first process load, and the others make room for their part.

    Otherwise the memory of a machine would hold as many models as it has GPUs.
    """
    folder, mine = job.input("model"), []

    def read() -> dict[str, str]:
        mine.append(load(folder, device, frozen=frozen, aside=True))
        return kinds_of(mine[0])

    kinds = job.group.once(read)
    return mine[0] if mine else hollow(folder, kinds)


def leave(job: Job[K], base: Base, added: lora.Lora | None) -> None:
    """Leave the whole model, and the addition by itself; all processes must ask."""
    job.events.stage(_("Saving"))
    whole = replace(base, model=shards.together(base.model))
    job.group.once(lambda: save(job, whole, added))


def save(job: Job[K], base: Base, added: lora.Lora | None) -> None:
    """Write the model, and the addition by itself where there is one."""
    name = job.manifest.inputs["model"].revision
    if added:
        saving.whole(
            job.outputs / "adapter",
            lambda aside: lora.save(base.model, aside, lora=added, base=name),
        )
        lora.merge(base.model)
    saving.model(job.outputs / "model", base.model, base.tokenizer, base.dtype)

"""How a base model is changed, by an addition or whole, and how it is left for others."""

from __future__ import annotations

from typing import Literal, Protocol

from fabriek_recipes.knobs import WIDTH_MIN
from fabriek_recipes.training import lora, saving
from fabriek_recipes.training.base import Base
from fabriek_recipes.training.process import Job, K
from fabriek_recipes.words import _

WIDTH_STEP = 64


class Adapting(Protocol):
    """The settings by which a recipe changes a base model."""

    @property
    def method(self) -> Literal["lora", "full"]:
        """Say what is trained."""

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


def save(job: Job[K], base: Base, added: lora.Lora | None) -> None:
    """Leave the whole model, and the addition by itself where there is one."""
    job.events.stage(_("Saving"))
    name = job.manifest.inputs["model"].revision
    if added:
        saving.whole(
            job.outputs / "adapter",
            lambda aside: lora.save(base.model, aside, lora=added, base=name),
        )
        lora.merge(base.model)
    saving.model(job.outputs / "model", base.model, base.tokenizer, base.dtype)

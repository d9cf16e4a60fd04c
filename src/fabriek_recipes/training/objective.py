"""What a step makes smaller: the loss of the next token, unless a recipe has its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from transformers import PreTrainedModel

from fabriek_recipes.training import attention
from fabriek_recipes.training.packing import Batch, Example, Frame, batch, end_to_end
from fabriek_recipes.training.prediction import loss_sum


class Objective(Protocol):
    """Turns rows into a loss; sums, so that processes with a share of the rows can add them."""

    def weight(self, rows: Sequence[Sequence[Example]]) -> int:
        """Say what the summed loss of these rows is divided by to be the loss of the step."""

    def loss(
        self, model: PreTrainedModel, rows: Sequence[Sequence[Example]], fill: int
    ) -> torch.Tensor:
        """Give the summed loss of these rows, from which gradients can be made."""


class NextToken:
    """The cross-entropy of the tokens that are to be predicted."""

    def __init__(self) -> None:
        """Let every step have its own shape; a compiled model wants them all within one."""
        self.within: Frame | None = None

    def weight(self, rows: Sequence[Sequence[Example]]) -> int:
        """Count those tokens."""
        return sum(example.learned for row in rows for example in row)

    def loss(
        self, model: PreTrainedModel, rows: Sequence[Sequence[Example]], fill: int
    ) -> torch.Tensor:
        """Sum over them."""
        return loss_sum(model, laid(model, rows, fill, self.within))


def laid(
    model: PreTrainedModel,
    rows: Sequence[Sequence[Example]],
    fill: int,
    within: Frame | None = None,
) -> Batch:
    """Lay rows out as the model attends now, where the model is."""
    if attention.is_end_to_end(model):
        return end_to_end(rows, fill, within).to(model.device)
    return batch(rows, fill).to(model.device)

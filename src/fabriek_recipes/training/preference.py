"""Direct preference optimisation (Rafailov et al., arXiv 2305.18290) as a loss of pairs.

Shapes: N tokens to predict, E texts, P pairs; text 2p is chosen and 2p + 1 rejected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch.nn import functional
from transformers import PreTrainedModel

from fabriek_recipes.training.objective import NextToken, laid
from fabriek_recipes.training.packing import Example, Frame
from fabriek_recipes.training.prediction import added_up, losses


@dataclass(frozen=True, slots=True, eq=False)
class Answer(Example):
    """One of the two answers of a pair, with how likely the base model found it.

    `reference` is the sum of the logarithms of the chances of its tokens.
    """

    reference: float = 0.0


class Preference(NextToken):
    """Makes the chosen answer likelier, and the rejected one less so, than the base model does.

    A row holds whole pairs: chosen, rejected, chosen, rejected, and on.
    """

    def __init__(self, *, beta: float, doubt: float) -> None:
        """`doubt`: the share of the pairs that may be the wrong way round."""
        super().__init__()
        self.beta, self.doubt = beta, doubt

    def weight(self, rows: Sequence[Sequence[Example]]) -> int:
        """Count pairs."""
        return sum(len(row) for row in rows) // 2

    def loss(
        self, model: PreTrainedModel, rows: Sequence[Sequence[Example]], fill: int
    ) -> torch.Tensor:
        """Sum over pairs."""
        texts = [cast("Answer", each) for row in rows for each in row]
        said_E = likelihoods(model, rows, fill, self.within)
        reference_E = torch.tensor([each.reference for each in texts], device=said_E.device)
        return preference_loss(said_E - reference_E, beta=self.beta, doubt=self.doubt).sum()


def preference_loss(moved_E: torch.Tensor, *, beta: float, doubt: float) -> torch.Tensor:
    """Give the loss of each pair; `moved` is how much likelier than for the base model."""
    margin_P = beta * (moved_E[0::2] - moved_E[1::2])
    right_P, wrong_P = functional.logsigmoid(margin_P), functional.logsigmoid(-margin_P)
    return -(1 - doubt) * right_P - doubt * wrong_P


def likelihoods(
    model: PreTrainedModel,
    rows: Sequence[Sequence[Example]],
    fill: int,
    within: Frame | None = None,
) -> torch.Tensor:
    """Give for each text, in order, the sum of the logarithms of its tokens' chances."""
    losses_N, _likeliest_N = losses(model, laid(model, rows, fill, within))
    return added_up(-losses_N, rows)

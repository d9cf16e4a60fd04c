"""Draws the next token by lot, each text from a lot of its own.

Shapes: B texts, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch


class Lots:
    """One row of lots per text, by its seed alone: what stands beside it changes nothing."""

    def __init__(self, seeds: Sequence[int], *, temperature: float) -> None:
        """`temperature` 1 draws by the model's own chances, lower nearer to the likeliest."""
        self._lots = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._temperature = temperature

    def __call__(self, logits_BV: torch.Tensor, texts: Sequence[int]) -> torch.Tensor:
        """Draw one token for each of these texts."""
        shares_BV = (logits_BV.double() / self._temperature).softmax(-1)
        sums_BV = shares_BV.cumsum(-1)
        lots = [
            torch.rand(1, generator=self._lots[text], dtype=torch.float64) for text in texts
        ]
        drawn_B1 = torch.stack(lots).to(logits_BV.device) * sums_BV[:, -1:]
        found_B1 = torch.searchsorted(sums_BV, drawn_B1, right=True)
        return found_B1[:, 0].clamp(max=logits_BV.shape[-1] - 1)

"""The models that can be made from nothing, and how fast each way of learning usually goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fabriek_recipes.words import _

Size = Literal["tiny", "mini", "small", "base", "large", "huge"]
Method = Literal["new", "full", "lora"]
# Counted with the vocabulary that is proposed.
SIZES: dict[str, str] = {
    "tiny": _("Tiny (0.34 million weights)"),
    "mini": _("Very small (1.2 million weights)"),
    "small": _("Small (28 million weights)"),
    "base": _("Medium (88 million weights)"),
    "large": _("Large (310 million weights)"),
    "huge": _("Very large (830 million weights)"),
}
METHODS: dict[str, str] = {
    "new": _("Make a new model from nothing"),
    "full": _("Go on with the base model, every weight"),
    "lora": _("Go on with the base model, a small addition (LoRA)"),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """The dimensions of a model: layers, width, heads, and width of the feed-forward part."""

    layers: int
    width: int
    heads: int
    inner: int

    def parameters(self, vocabulary: int) -> int:
        """Count weights; the embedding is also the last layer, so it counts once."""
        return (
            self.layers * (4 * self.width**2 + 3 * self.width * self.inner)
            + vocabulary * self.width
        )


SHAPES: dict[Size, Shape] = {
    "tiny": Shape(2, 64, 2, 128),
    "mini": Shape(3, 128, 4, 384),
    "small": Shape(8, 512, 8, 1408),
    "base": Shape(12, 768, 12, 2048),
    "large": Shape(24, 1024, 16, 2816),
    "huge": Shape(16, 2048, 16, 5632),
}
# From nothing: own runs of the two smallest. The three largest as table 2.1 of the paper on
# GPT-3 (arXiv 2005.14165) has them for 125, 350 and 760 million weights, in steps of half a
# million tokens (compared with four copies of it, November 2026). "small" was not measured.
RATES: dict[Size, float] = {
    "tiny": 5e-3,
    "mini": 5e-3,
    "small": 1e-3,
    "base": 6e-4,
    "large": 3e-4,
    "huge": 2.5e-4,
}
# Going on: far below the rate the model was made with, or it forgets more than it learns.
ONWARD: dict[Method, float] = {"full": 5e-5, "lora": 2e-4}
SMALL_PARAMETERS, SMALL_TIMES = 50_000_000, 10


def usual_rate(method: Method, size: Size, *, base_parameters: int) -> float:
    """Give the learning rate that is usual; small base models stand ten times as much."""
    if method == "new":
        return RATES[size]
    times = SMALL_TIMES if base_parameters < SMALL_PARAMETERS else 1
    return ONWARD[method] * times

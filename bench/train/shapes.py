"""Models to measure with, made from nothing in the shape of known ones, and what a token costs.

Shapes from the models' own `config.json` (November 2026); weights do not change the speed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Width, depth and vocabulary of a model."""

    kind: str
    width: int
    inner: int
    layers: int
    heads: int
    key_heads: int
    vocabulary: int
    is_tied: bool = False

    @property
    def matmul_weights(self) -> int:
        """Weights that each token is multiplied with, the head too."""
        head = self.width // self.heads
        attention = 2 * self.width * self.heads * head + 2 * self.width * self.key_heads * head
        layer = attention + 3 * self.width * self.inner
        return self.layers * layer + self.vocabulary * self.width

    def flop_per_token(self, method: str, length: float) -> float:
        """Count 4 operations a weight for LoRA, 6 for all weights, and causal attention."""
        per_weight = 4 if method == "lora" else 6
        return per_weight * self.matmul_weights + 6 * length * self.width * self.layers


SHAPES = {
    "tiny": Shape(
        kind="qwen2",
        width=128,
        inner=352,
        layers=4,
        heads=4,
        key_heads=2,
        vocabulary=512,
        is_tied=True,
    ),
    "0.5b": Shape(
        kind="qwen2",
        width=896,
        inner=4864,
        layers=24,
        heads=14,
        key_heads=2,
        vocabulary=151_936,
        is_tied=True,
    ),
    "8b": Shape(
        kind="llama",
        width=4096,
        inner=14_336,
        layers=32,
        heads=32,
        key_heads=8,
        vocabulary=128_256,
    ),
}


def made(shape: Shape, device: str, dtype: torch.dtype, **more: object) -> PreTrainedModel:
    """Make a model with random weights where it will learn."""
    config_class, model_class = {
        "qwen2": (Qwen2Config, Qwen2ForCausalLM),
        "llama": (LlamaConfig, LlamaForCausalLM),
    }[shape.kind]
    given: dict[str, object] = {
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.key_heads,
        "max_position_embeddings": 32_768,
        "tie_word_embeddings": shape.is_tied,
    }
    config = config_class(**given | more)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            return model_class(config)
    finally:
        torch.set_default_dtype(before)

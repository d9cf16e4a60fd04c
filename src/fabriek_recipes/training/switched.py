"""A base model with an addition that is switched on and off: two models, one set of weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from transformers import PreTrainedModel

from fabriek_recipes.training.lora import Lora, LoraLinear

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
# What PEFT can do besides, and we cannot: then the whole model is loaded beside its base.
OTHER_WAYS = (
    "use_rslora",
    "use_dora",
    "modules_to_save",
    "rank_pattern",
    "alpha_pattern",
    "fan_in_fan_out",
    "trainable_token_indices",
    "target_parameters",
)


class SwitchedLinear(LoraLinear):
    """A layer that is itself, or itself with its addition."""

    is_on = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give base(x), with the addition when it is on."""
        return super().forward(x) if self.is_on else self.base(x)


@dataclass(frozen=True, slots=True)
class Switch:
    """All layers with an addition, turned together."""

    layers: tuple[SwitchedLinear, ...]

    def turn(self, *, on: bool) -> None:
        """Let the next token come from the model with its addition, or from its base."""
        for layer in self.layers:
            layer.is_on = on


def attach(model: PreTrainedModel, adapter: Path) -> Switch | None:
    """Put an addition of PEFT's format around the layers; nothing when it does not fit.

    Nothing is changed in that case: the model is then to be loaded whole.
    """
    found = _read(adapter)
    if found is None:
        return None
    lora, tensors = found
    names = sorted({name.rpartition(".lora_")[0] for name in tensors})
    places = {name: _linear(model, name.removeprefix(PREFIX)) for name in names}
    if not names or not all(
        _fits(tensors, name, lora.rank, layer) for name, layer in places.items()
    ):
        return None
    layers = [_wrapped(model, name, lora, tensors) for name in names]
    return Switch(tuple(layers))


def _read(adapter: Path) -> tuple[Lora, Mapping[str, torch.Tensor]] | None:
    try:
        config = json.loads((adapter / CONFIG).read_bytes())
        plain = config["peft_type"] == "LORA" and config.get("bias", "none") == "none"
        if not plain or any(config.get(name) for name in OTHER_WAYS):
            return None
        lora = Lora(rank=int(config["r"]), alpha=int(config["lora_alpha"]), dropout=0.0)
        return lora, load_file(adapter / WEIGHTS)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError):
        return None


def _linear(model: PreTrainedModel, name: str) -> nn.Linear | None:
    try:
        found = model.get_submodule(name)
    except AttributeError:
        return None
    return found if type(found) is nn.Linear else None


def _fits(
    tensors: Mapping[str, torch.Tensor], name: str, rank: int, layer: nn.Linear | None
) -> bool:
    a, b = (tensors.get(f"{name}.lora_{part}.weight") for part in "AB")
    if layer is None or a is None or b is None:
        return False
    return (*a.shape, *b.shape) == (rank, layer.in_features, layer.out_features, rank)


def _wrapped(
    model: PreTrainedModel, name: str, lora: Lora, tensors: Mapping[str, torch.Tensor]
) -> SwitchedLinear:
    parent, _dot, child = name.removeprefix(PREFIX).rpartition(".")
    owner = model.get_submodule(parent)
    layer = SwitchedLinear(getattr(owner, child), lora).requires_grad_(False).eval()
    for part in "AB":
        weight = getattr(layer, f"lora_{part}")
        weight.data.copy_(tensors[f"{name}.lora_{part}.weight"])
    setattr(owner, child, layer)
    return layer

"""LoRA (Hu et al., arXiv 2106.09685) on every linear layer, kept in the file format of PEFT.

Written here because importing peft takes five seconds, more than many a small run.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

from fabriek_recipes.words import Failed, _


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """How wide the addition is, how strongly it counts, and how much of it is dropped."""

    rank: int
    alpha: int
    dropout: float


class LoraLinear(nn.Module):
    """A frozen linear layer plus a low-rank addition that starts at nothing."""

    def __init__(self, base: nn.Linear, lora: Lora) -> None:
        """Wrap `base`; A is random and B zero, so that the first step starts from the base."""
        super().__init__()
        self.base = base
        self.scale = lora.alpha / lora.rank
        self.dropout = lora.dropout
        device = base.weight.device
        # Drawn by the processor, so that a seed gives the same on each kind of device.
        drawn = nn.init.kaiming_uniform_(
            torch.empty(lora.rank, base.in_features), a=math.sqrt(5)
        )
        self.lora_A = nn.Parameter(drawn.to(device))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, lora.rank, device=device))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give base(x) + scale * B A dropout(x)."""
        # Dropping nothing would still copy all of it, and so would a change of precision.
        dropped = functional.dropout(x, self.dropout, self.training) if self.dropout else x
        if not torch.is_autocast_enabled(x.device.type):
            dropped = dropped.to(self.lora_A.dtype)
        narrow = functional.linear(dropped, self.lora_A) * self.scale
        found = self.base(x)
        return found + functional.linear(narrow, self.lora_B).to(found.dtype)  # type: ignore[no-any-return]

    def merged(self) -> nn.Linear:
        """Give the base layer with the addition put into its weight."""
        weight = self.base.weight
        added = (self.lora_B.float() @ self.lora_A.float()) * self.scale
        weight.data = (weight.data.float() + added).to(weight.dtype)
        return self.base


def attach(model: PreTrainedModel, lora: Lora) -> None:
    """Freeze the model and wrap every linear layer but the last, which is often the embedding.

    Raises:
        Failed: `no_linear`, for a model that has none.
    """
    model.requires_grad_(False)
    last = model.get_output_embeddings()
    found = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module is not last
    ]
    if not found:
        raise Failed(
            "no_linear",
            _("LoRA does not fit this kind of model; choose the method “Every weight”."),
        )
    for name in found:
        base = model.get_submodule(name)
        assert isinstance(base, nn.Linear)
        _replace(model, name, LoraLinear(base, lora))


def save(model: PreTrainedModel, folder: Path, *, lora: Lora, base: str) -> None:
    """Write the additions as PEFT would: `adapter_config.json`, `adapter_model.safetensors`."""
    layers = _layers(model)
    tensors = {}
    for name, layer in layers.items():
        for part in ("lora_A", "lora_B"):
            tensor = getattr(layer, part).detach().cpu().contiguous()
            tensors[f"base_model.model.{name}.{part}.weight"] = tensor
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "inference_mode": True,
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "bias": "none",
        "fan_in_fan_out": False,
        "target_modules": sorted({name.rsplit(".", 1)[-1] for name in layers}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2))
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})


def merge(model: PreTrainedModel) -> None:
    """Put every addition into its base layer, leaving an ordinary model."""
    for name, layer in _layers(model).items():
        _replace(model, name, layer.merged())


def _layers(model: nn.Module) -> dict[str, LoraLinear]:
    return {
        name: module for name, module in model.named_modules() if isinstance(module, LoraLinear)
    }


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _dot, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)

"""Loads a base model and gives it a new last layer for labels; nothing else may be missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
from transformers import PreTrainedModel

from fabriek_recipes.words import Failed, _

# What models add between reading and saying; made anew where the base was made for other work.
MADE_ANEW = ("pooler", "pre_classifier", "classifier", "head", "score", "dense", "fc_norm")


class Loads(Protocol):
    """A class of transformers that loads a model for labels."""

    def from_pretrained(self, folder: Path, **how: object) -> tuple[PreTrainedModel, dict]:  # type: ignore[type-arg]
        """Load, telling what was missing."""


def load(
    kind: Loads, folder: Path, labels: Sequence[str], device: torch.device, *, seed: int
) -> PreTrainedModel:
    """Load `folder` as a model that gives these labels, its last layer drawn by `seed`.

    Raises:
        Failed: `bad_model`, with what is wrong with it.
    """
    torch.manual_seed(seed)
    try:
        model, found = kind.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
            num_labels=len(labels),
            id2label=dict(enumerate(labels)),
            label2id={label: place for place, label in enumerate(labels)},
            ignore_mismatched_sizes=True,
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError) as why:
        raise bad_model(str(why)) from why
    body = f"{model.base_model_prefix}."
    missing = [
        name
        for name in found["missing_keys"]
        if name.startswith(body) and not any(part in name for part in MADE_ANEW)
    ]
    if missing:
        raise bad_model("missing weights: " + ", ".join(sorted(missing)[:3]))
    return model.to(device).eval()


def bad_model(why: str) -> Failed:
    """Say that a base cannot be used."""
    return Failed(
        "bad_model",
        _("The base model cannot be loaded (%(why)s); choose another or fetch it again."),
        why=" ".join(why.split())[:300],
    )

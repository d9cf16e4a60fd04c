"""Leaves a model where others can read it, whole or not at all, and writes the final report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fabriek_recipes.events import Json
from fabriek_recipes.training import reporting
from fabriek_recipes.training.reporting import whole

__all__ = ["model", "report", "whole"]


def model(
    folder: Path,
    trained: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    dtype: torch.dtype,
) -> None:
    """Write a model in Hugging Face format, in the precision its base had."""
    trained.to(dtype=dtype)

    def write(aside: Path) -> None:
        trained.save_pretrained(aside, safe_serialization=True)
        tokenizer.save_pretrained(aside)

    whole(folder, write)


def report(run_folder: Path, facts: Mapping[str, Json]) -> None:
    """Write the final facts of the run, with the versions of what made them."""
    names = ("torch", "transformers", "tokenizers", "safetensors")
    reporting.report(run_folder, facts, *names)

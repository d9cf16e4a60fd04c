"""Leaves a model where others can read it, whole or not at all, and writes the final report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fabriek_recipes.events import Json, finite
from fabriek_recipes.run_folder import REPORT, write_whole

# safetensors writes files only their owner may read. The portal may have another account: it
# counts as the group, and nobody else comes past the folder of the run.
FILE_MODE, FOLDER_MODE = 0o640, 0o770


def whole(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a folder aside, and put it in place only when that went well."""
    aside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        write(aside)
        aside.chmod(FOLDER_MODE)
        for path in aside.rglob("*"):
            path.chmod(FOLDER_MODE if path.is_dir() else FILE_MODE)
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


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
    versions: dict[str, Json] = {
        name: version(name) for name in ("torch", "transformers", "tokenizers", "safetensors")
    }
    whole_report = finite({**facts, "versions": versions})
    text = json.dumps(whole_report, indent=2, ensure_ascii=False, allow_nan=False)
    write_whole(run_folder / REPORT, text)
    (run_folder / REPORT).chmod(FILE_MODE)

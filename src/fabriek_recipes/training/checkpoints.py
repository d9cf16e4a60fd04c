"""Saves and finds the point a run resumes from: one whole file each, the last two kept.

A file holds the trained weights and the optimizer's moments as safetensors (no pickle), and
the rest as JSON in its header. Order and dropout follow from seed and step: no need to keep
them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from fabriek_recipes.events import Json

KEPT = 2
# safetensors writes files only their owner may read; who continues the run must read them too.
FILE_MODE = 0o640


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a resumed run starts from."""

    step: int
    tensors: dict[str, torch.Tensor]
    state: dict[str, Json]


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint whole or not at all; older ones go only once the new one is safe.

    Raises:
        OSError, SafetensorError: nothing was lost, the checkpoints before still stand.
    """
    path = folder / f"step-{checkpoint.step:08d}.safetensors"
    temporary = folder / f".{path.name}.part"
    header = {
        "format": "pt",
        "step": str(checkpoint.step),
        "state": json.dumps(checkpoint.state),
    }
    try:
        save_file(checkpoint.tensors, temporary, metadata=header)
        temporary.chmod(FILE_MODE)
        _sync(temporary)
        temporary.replace(path)
        _sync(folder)
    finally:
        temporary.unlink(missing_ok=True)
    for old in _paths(folder)[:-KEPT]:
        old.unlink(missing_ok=True)


def latest(folder: Path, fits: Mapping[str, Json]) -> Checkpoint | None:
    """Give the newest checkpoint that is whole and whose state agrees with `fits`."""
    for left in folder.glob(".*.part"):
        left.unlink(missing_ok=True)
    for path in reversed(_paths(folder)):
        with suppress(OSError, SafetensorError, ValueError, KeyError):
            found = _read(path)
            if fits.items() <= found.state.items():
                return found
    return None


def _read(path: Path) -> Checkpoint:
    with safe_open(path, framework="pt") as file:
        header = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return Checkpoint(int(header["step"]), tensors, json.loads(header["state"]))


def _paths(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.safetensors"))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Saves and finds the point a run resumes from: one whole file each, few of them kept.

A file holds the trained weights and the optimizer's moments as safetensors (no pickle), and
the rest as JSON in its header. Order and dropout follow from seed and step: no need to keep
them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from fabriek_recipes.events import Json
from fabriek_recipes.training import tensor_file

KEPT = 2
# Besides those, to go back to by choice: few, and of a large model none, which costs a disk.
EARLIER_KEPT = 3
EARLIER_BYTES_MAX = 10 * 2**30
BEST = "best.safetensors"
# safetensors writes files only their owner may read; who continues the run must read them too.
FILE_MODE = 0o640

Values = Iterable[torch.Tensor] | None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a resumed run starts from."""

    step: int
    tensors: dict[str, torch.Tensor]
    state: dict[str, Json]


def save(folder: Path, checkpoint: Checkpoint, brought: Values = None) -> None:
    """Write a checkpoint whole or not at all; older ones go only once the new one is safe.

    `brought`: the values of its tensors, one after the other, where they are divided.

    Raises:
        OSError, SafetensorError: nothing was lost, the checkpoints before still stand.
    """
    _write(folder / f"step-{checkpoint.step:08d}.safetensors", checkpoint, brought)
    for old in _too_many(_paths(folder)[:-KEPT]):
        old.unlink(missing_ok=True)


def save_best(folder: Path, checkpoint: Checkpoint, brought: Values = None) -> None:
    """Keep these weights as the best so far; the others stay. Raises: as `save` does."""
    _write(folder / BEST, checkpoint, brought)


def best(folder: Path, step: int, fits: Mapping[str, Json]) -> Checkpoint | None:
    """Give the best weights, if they are those of this step and whole."""
    with suppress(OSError, SafetensorError, ValueError, KeyError):
        found = _read(folder / BEST)
        if found.step == step and fits.items() <= found.state.items():
            return found
    return None


def _write(path: Path, checkpoint: Checkpoint, brought: Values) -> None:
    folder = path.parent
    temporary = folder / f".{path.name}.part"
    header = {
        "format": "pt",
        "step": str(checkpoint.step),
        "state": json.dumps(checkpoint.state),
    }
    try:
        if brought is None:
            save_file(checkpoint.tensors, temporary, metadata=header)
        else:
            tensor_file.write(temporary, checkpoint.tensors, brought, header)
        temporary.chmod(FILE_MODE)
        _sync(temporary)
        temporary.replace(path)
        _sync(folder)
    finally:
        temporary.unlink(missing_ok=True)


def latest(
    folder: Path, fits: Mapping[str, Json], passed_over: list[int] | None = None
) -> Checkpoint | None:
    """Give the newest checkpoint that is whole and whose state agrees with `fits`.

    The steps of newer ones that are not are added to `passed_over`.
    """
    for left in folder.glob(".*.part"):
        left.unlink(missing_ok=True)
    for path in reversed(_paths(folder)):
        with suppress(OSError, SafetensorError, ValueError, KeyError):
            found = _read(path)
            if fits.items() <= found.state.items():
                return found
        if passed_over is not None:
            passed_over.append(_step_of(path))
    return None


def _read(path: Path) -> Checkpoint:
    with safe_open(path, framework="pt") as file:
        header = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return Checkpoint(int(header["step"]), tensors, json.loads(header["state"]))


def _too_many(earlier: list[Path]) -> Iterator[Path]:
    """Name which of the earlier ones go, so that those that stay are spread over the run."""
    left = list(earlier)
    while len(left) > EARLIER_KEPT or _bytes(left) > EARLIER_BYTES_MAX:
        steps = [0, *(_step_of(path) for path in left)]
        gaps = [after - before for before, after in pairwise(steps)]
        yield left.pop(gaps.index(min(gaps)))


def _step_of(path: Path) -> int:
    return int(path.stem.partition("-")[2])


def _bytes(paths: list[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


def _paths(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.safetensors"))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

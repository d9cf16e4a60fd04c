"""Writes a safetensors file one tensor at a time; the library wants all of them in memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch

# As the format calls them (https://github.com/huggingface/safetensors, "Format").
KINDS = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16"}
ALIGNED_TO = 8


def write(
    path: Path,
    shapes: Mapping[str, torch.Tensor],
    values: Iterable[torch.Tensor],
    metadata: Mapping[str, str],
) -> None:
    """Write `values`, which come in the order of `shapes` and are as these say.

    Raises:
        OSError: half a file is left; ValueError: values are not what was said.
    """
    header = _header(shapes, metadata)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for said, value in zip(shapes.values(), values, strict=True):
            if value.shape != said.shape or value.dtype != said.dtype:
                raise ValueError(f"{value.shape} of {value.dtype} is not {said.shape}")
            flat = value.detach().cpu().contiguous().reshape(-1)
            file.write(flat.view(torch.uint8).numpy().data)


def _header(shapes: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> bytes:
    told: dict[str, object] = {"__metadata__": dict(metadata)}
    at = 0
    for name, tensor in shapes.items():
        end = at + tensor.numel() * tensor.element_size()
        told[name] = {
            "dtype": KINDS[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [at, end],
        }
        at = end
    text = json.dumps(told).encode()
    return text + b" " * (-len(text) % ALIGNED_TO)

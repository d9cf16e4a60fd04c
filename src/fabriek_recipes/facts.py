"""Counts what an estimate needs, from files on disk, without loading a model or a tokenizer."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from math import prod
from pathlib import Path

from fabriek_recipes.kinds import Facts
from fabriek_recipes.rows import files_of
from fabriek_recipes.words import Failed, Sentence, _

# A header of a model of 1,000 layers is about 2 MB; the format itself refuses above 100 MB.
HEADER_BYTES_MAX = 100_000_000
# Somebody waits for the price: of more text than this, pieces of so much are read.
READ_BYTES_MAX, PIECE_BYTES = 128 * 2**20, 2**20
# Formats that run code when they are read; we never open them.
PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl"}


def look(inputs: Mapping[str, Path], base: Facts, *, plain: bool = False) -> Facts:
    """Fill rows, bytes and base parameters of `base` from the inputs `dataset` and `model`.

    `plain` counts text files too, as for pretraining.
    """
    found = base
    if dataset := inputs.get("dataset"):
        rows, size, longest = _text_size(dataset, plain=plain)
        found = replace(found, rows=rows, text_bytes=size, longest_row_bytes=longest)
    if model := inputs.get("model"):
        found = replace(found, base_parameters=parameters_of(model))
    return found


def parameters_of(model: Path) -> int:
    """Sum the sizes in the safetensors headers of a model folder; 0 when there are none."""
    return sum(_parameters(path) for path in sorted(model.glob("*.safetensors")))


def model_problems(model: Path, *, reads_text: bool = True) -> tuple[Sentence, ...]:
    """Say what keeps a folder from being a base model; one that reads has a tokenizer."""
    if not (model / "config.json").is_file():
        return (
            Sentence(
                _("The base model has no config.json; choose a model in Hugging Face format.")
            ),
        )
    if not any(model.glob("*.safetensors")):
        pickled = any(path.suffix in PICKLES for path in model.iterdir())
        return (_pickled() if pickled else _no_weights(),)
    if reads_text and not any(
        (model / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json")
    ):
        return (Sentence(_("The base model has no tokenizer; add its tokenizer.json.")),)
    return ()


def _pickled() -> Sentence:
    return Sentence(
        _(
            "The base model's weights are in a format that can run code when it is read; "
            "convert them to safetensors."
        )
    )


def _no_weights() -> Sentence:
    return Sentence(_("The base model has no weights; add its .safetensors files."))


def _parameters(path: Path) -> int:
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(length, HEADER_BYTES_MAX)))
        return sum(
            prod(item["shape"]) for name, item in header.items() if name != "__metadata__"
        )
    except (OSError, struct.error, ValueError, KeyError, TypeError, AttributeError) as why:
        raise Failed(
            "bad_model",
            _("%(name)s is not a whole safetensors file; fetch the model again."),
            name=path.name,
        ) from why


def _text_size(dataset: Path, *, plain: bool) -> tuple[int, int, int]:
    """Give rows, bytes and the longest row; of much text the rows are those of its pieces."""
    sizes = {path: path.stat().st_size for path in files_of(dataset, plain=plain).train}
    size = sum(sizes.values())
    is_much = size > READ_BYTES_MAX
    rows = seen = longest = 0
    for line in _pieces(sizes, size) if is_much else _lines(sizes):
        rows += bool(line.strip())
        seen += len(line)
        longest = max(longest, len(line))
    return round(rows * size / seen) if is_much and seen else rows, size, longest


def _lines(paths: Iterable[Path]) -> Iterator[bytes]:
    for path in paths:
        with path.open("rb") as file:
            while line := file.readline(PIECE_BYTES):
                yield line


def _pieces(sizes: Mapping[Path, int], size: int) -> Iterator[bytes]:
    """Give whole lines from places spread evenly over all files together."""
    apart = max(1, size * PIECE_BYTES // READ_BYTES_MAX)
    begins_at = next_at = 0
    for path, bytes_ in sizes.items():
        while next_at < begins_at + bytes_:
            yield from _piece(path, next_at - begins_at)
            next_at += apart
        begins_at += bytes_


def _piece(path: Path, place: int) -> Iterator[bytes]:
    seen = 0
    with path.open("rb") as file:
        file.seek(place)
        if place:
            file.readline(PIECE_BYTES)  # the rest of a line that began before
        while seen < PIECE_BYTES and (line := file.readline(PIECE_BYTES)):
            seen += len(line)
            yield line

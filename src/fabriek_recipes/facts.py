"""Counts what an estimate needs, from files on disk, without loading a model or a tokenizer."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from math import ceil, prod
from pathlib import Path
from statistics import fmean

from fabriek_recipes.kinds import Facts
from fabriek_recipes.row_problems import RowProblem
from fabriek_recipes.row_tables import is_table, rows_in
from fabriek_recipes.rows import LINE_BYTES_MAX, files_of
from fabriek_recipes.words import Failed, Sentence, _

# A header of a model of 1,000 layers is about 2 MB; the format itself refuses above 100 MB.
HEADER_BYTES_MAX = 100_000_000
# Somebody waits for the price: of more text than this, pieces of so much are read.
READ_BYTES_MAX, PIECE_BYTES = 128 * 2**20, 2**18
# Of a table cells are told apart, which takes twenty times as long as counting lines.
TABLE_BYTES_MAX = 32 * 2**20
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
    if any(map(is_table, sizes)):
        return _of_tables(sizes)
    size = sum(sizes.values())
    if size > READ_BYTES_MAX:
        return _sampled(sizes, size)
    rows = longest = 0
    for line in _lines(sizes):
        rows += bool(line.strip())
        longest = max(longest, len(line))
    return rows, size, longest


def _of_tables(sizes: Mapping[Path, int]) -> tuple[int, int, int]:
    """Count rows as the lines they would be in a `.jsonl`, so that they cost the same.

    Of much the first part of each file tells how much the rest holds.
    """
    share = min(1, TABLE_BYTES_MAX / max(1, sum(sizes.values())))
    rows = size = longest = 0
    for path, bytes_ in sizes.items():
        found, held, most, read = _first_rows(path, max(PIECE_BYTES, ceil(bytes_ * share)))
        times = max(1, bytes_ / max(1, read))
        rows += round(found * times)
        size += round(held * times)
        longest = max(longest, most)
    return rows, size, longest


def _first_rows(path: Path, bytes_max: int) -> tuple[int, int, int, int]:
    """Count the first rows of a table, their bytes and the longest; how far was read."""
    rows = size = longest = 0
    with path.open("rb") as file:
        for _number, row in rows_in(file, path):
            if not isinstance(row, RowProblem):
                line = json.dumps(row, ensure_ascii=False).encode("utf-8", "replace")
                size += len(line) + 1
                longest = max(longest, len(line) + 1)
            rows += 1
            if file.tell() > bytes_max:
                break
        else:
            return rows, size, longest, path.stat().st_size
        return rows, size, longest, file.tell()


def _lines(paths: Iterable[Path]) -> Iterator[bytes]:
    for path in paths:
        with path.open("rb") as file:
            while line := file.readline(LINE_BYTES_MAX):
                yield line


def _sampled(sizes: Mapping[Path, int], size: int) -> tuple[int, int, int]:
    """Guess: each file begins with a row, and how many more there are its pieces tell.

    So that of many files of one row each, however long, no guess is needed.
    """
    pieces = [_piece(path, begin, sizes[path]) for path, begin in _places(sizes, size)]
    begun = sum(1 for bytes_ in sizes.values() if bytes_)
    rows = round(begun + size * fmean(per_byte for per_byte, _longest in pieces))
    mean = min(size // rows, LINE_BYTES_MAX)
    return rows, size, max(mean, *(longest for _per_byte, longest in pieces))


def _places(sizes: Mapping[Path, int], size: int) -> Iterator[tuple[Path, int]]:
    """Choose pieces, spread evenly over the bytes of all files together: where each begins.

    Files are cut in pieces from their beginning, so that each byte is as likely to be read.
    """
    apart = max(1, size * PIECE_BYTES // READ_BYTES_MAX)
    begins_at, next_at = 0, apart // 2
    for path, bytes_ in sizes.items():
        while next_at < begins_at + bytes_:
            yield path, (next_at - begins_at) // PIECE_BYTES * PIECE_BYTES
            next_at += apart
        begins_at += bytes_


def _piece(path: Path, begin: int, size: int) -> tuple[float, int]:
    """Tell how many rows begin in a piece, per byte and but for the file's first; the longest.

    A row that goes on after the piece is read to its end; of one that began before it only
    this part is known.
    """
    end = min(begin + PIECE_BYTES, size)
    at, rows, longest = begin, 0, 0
    with path.open("rb") as file:
        if begin:
            file.seek(begin - 1)  # that byte tells whether a row begins here
            longest = len(file.readline(end - begin + 1)) - 1
            at += longest
        while at < end and (line := file.readline(LINE_BYTES_MAX)):
            rows += bool(line.strip())
            longest = max(longest, len(line))
            at += len(line)
    return max(0, rows - (begin == 0)) / (end - begin), longest

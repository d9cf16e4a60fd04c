"""Packed tokens on disk: rows of one width that are read one by one, however many there are.

A row is `width` numbers of 32 bits. The first token of each text carries a bit that no token
has, and what is not filled with text is `FILL`; so texts stay apart, and a row is found by its
number alone. Shapes: T tokens in a row, F rows.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray

from fabriek_recipes.training.packing import Example

BEGINS, TOKEN, FILL = 1 << 31, (1 << 31) - 1, 0xFFFFFFFF
BYTES_EACH = 4
# Files that are open at once: far below what a process may have.
OPEN_MAX = 64

Row = NDArray[np.uint32]


def laid(examples: Sequence[Example], width: int) -> Row:
    """Lay texts end to end in one row; together they are no longer than that."""
    row_T = np.full(width, FILL, dtype=np.uint32)
    at = 0
    for example in examples:
        end = at + len(example.ids)
        row_T[at:end] = example.ids.numpy().astype(np.uint32)
        row_T[at] |= BEGINS
        at = end
    return row_T


def taken(row_T: Row) -> list[Example]:
    """Give the texts of a row again."""
    used_T = row_T[row_T != FILL]
    ids_T = torch.from_numpy((used_T & TOKEN).astype(np.int32))
    begins = np.flatnonzero(used_T >> 31).tolist()
    ends = [*begins[1:], len(used_T)][: len(begins)]
    return [Example(ids_T[at:end], 1) for at, end in zip(begins, ends, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """The rows of one shard, and how many there are."""

    path: Path
    rows: int


class Frames(Sequence[Sequence[Example]]):
    """The rows of all shards as one sequence; a row is read when it is asked for.

    They are read, and not mapped: mapped pages count as memory of the process.
    """

    def __init__(self, files: Iterable[File], width: int) -> None:
        """Take files in the order of their shards."""
        self._files = [file for file in files if file.rows]
        self._starts = [0, *accumulate(file.rows for file in self._files)]
        self.width = width

    def __len__(self) -> int:
        """Count all rows."""
        return self._starts[-1]

    @overload
    def __getitem__(self, index: int) -> Sequence[Example]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sequence[Example]]: ...
    def __getitem__(
        self, index: int | slice
    ) -> Sequence[Example] | Sequence[Sequence[Example]]:
        """Read one row, or several."""
        if isinstance(index, slice):
            return [self._row(place) for place in range(*index.indices(len(self)))]
        return self._row(range(len(self))[index])

    def __iter__(self) -> Iterator[Sequence[Example]]:
        """Read them one after the other."""
        return (self._row(place) for place in range(len(self)))

    def _row(self, index: int) -> list[Example]:
        number = bisect_right(self._starts, index) - 1
        size = self.width * BYTES_EACH
        place = (index - self._starts[number]) * size
        told = _opened(self._files[number].path).read(place, size)
        return taken(np.frombuffer(told, dtype="<u4").astype(np.uint32))


class _Open:
    """A file that stays open for reading as long as somebody holds it."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        os.close(self._descriptor)

    def read(self, offset: int, size: int) -> bytes:
        told = os.pread(self._descriptor, size, offset)
        if len(told) != size:
            raise EOFError("a shard of tokens is shorter than it was made")
        return told


@lru_cache(maxsize=OPEN_MAX)
def _opened(path: Path) -> _Open:
    return _Open(path)

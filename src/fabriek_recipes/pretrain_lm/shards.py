"""Deals the files of a corpus out in shards, so that each can be worked through by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fabriek_recipes import texts
from fabriek_recipes.rows import RowProblem
from fabriek_recipes.training.run import refuse

# Large enough that rows fill up well, small enough that little is done again after a stop.
SHARD_BYTES = 32 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Some whole files that one process works through; `bytes_max`: only the beginning."""

    number: int
    files: tuple[Path, ...]
    bytes: int
    bytes_max: int | None = None

    def texts(self, *, by_line: bool) -> Iterator[str]:
        """Give its texts one by one, as often as one likes the same.

        Raises:
            Failed: `bad_row`, with what is wrong with a line.
        """
        left = self.bytes_max
        for path in self.files:
            for text in _of_file(path, by_line=by_line):
                if left is not None:
                    left -= len(text)
                    if left < 0:
                        return
                yield text


def dealt(files: Sequence[Path], *, bytes_max: int | None = None) -> list[Shard]:
    """Put small files together, in their order, and leave a large one by itself.

    `bytes_max`: take about so much text from the beginning and leave the rest.
    """
    found: list[Shard] = []
    held: list[tuple[Path, int]] = []
    left = bytes_max
    for path in files:
        held.append((path, texts.size_of(path).text_bytes))
        size = sum(one for _path, one in held)
        if size >= SHARD_BYTES or (left is not None and size >= left):
            found.append(_shard(len(found), held, left))
            left = None if left is None else left - size
            held = []
        if left is not None and left <= 0:
            return found
    return [*found, _shard(len(found), held, left)] if held else found


def _shard(number: int, held: Sequence[tuple[Path, int]], left: int | None) -> Shard:
    size = sum(one for _path, one in held)
    return Shard(
        number=number,
        files=tuple(path for path, _size in held),
        bytes=size if left is None else min(size, left),
        bytes_max=left if left is not None and left < size else None,
    )


def _of_file(path: Path, *, by_line: bool) -> Iterator[str]:
    for item in texts.read(path):
        if isinstance(item, RowProblem):
            raise refuse(item, path.name)
        if not by_line:
            yield item
            continue
        yield from (line for line in item.splitlines() if line.strip())

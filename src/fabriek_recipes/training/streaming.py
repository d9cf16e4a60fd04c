"""The steps of a run over more rows than fit in memory: which row comes when, by its number.

Rows lie in blocks, as they lie on disk. A pass takes blocks in an order drawn by lot, and mixes
the rows of some blocks at a time. So a step's rows follow from seed and step alone, a resumed
run needs no other place than its step, and reading stays near where it was.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from fabriek_recipes.training.frames import Frames
from fabriek_recipes.training.packing import Example, Frame, framed
from fabriek_recipes.training.plan import Plan

# Rows of a block, and blocks that are mixed at a time: 4,096 rows from 16 places.
BLOCK, MIXED = 256, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Rows that are gone through in passes, each in another order."""

    rows: Frames
    seed: str
    most_texts: int

    def at(self, index: int) -> Sequence[Example]:
        """Give the row that comes at this place, counted through all passes."""
        epoch, place = divmod(index, len(self.rows))
        return self.rows[place_of(place, len(self.rows), f"{self.seed}:{epoch}")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed(Plan):
    """A plan whose rows come from one stream, or from two in a fixed proportion.

    `mixed_in`: another stream, of which `mixed_percent` of all rows are. The passes are those
    over the first.
    """

    stream: Stream
    mixed_in: Stream | None = None
    mixed_percent: int = 0

    @property
    def steps(self) -> int:
        """Steps in all."""
        return math.ceil(self.rows_in_all / self.rows_per_step)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in one pass over the first stream, about: one step may have rows of two."""
        return math.ceil(self.steps / self.epochs)

    @property
    def rows_in_all(self) -> int:
        """Rows of both streams, all passes together."""
        own = len(self.stream.rows) * self.epochs
        return own * 100 // (100 - self._percent)

    @property
    def widest(self) -> int:
        """Tokens of a row."""
        return self.stream.rows.width

    def frame(self, rows: int) -> Frame:
        """Give a shape that any so many rows fit in."""
        streams = [self.stream, *([self.mixed_in] if self.mixed_in else [])]
        most = max(each.most_texts for each in streams)
        return framed(tokens=rows * self.widest, texts=rows * most, longest=self.widest)

    def rows_of(self, step: int) -> list[Sequence[Example]]:
        """Give a step's rows, those of the two streams spread evenly."""
        start = step * self.rows_per_step
        end = min(start + self.rows_per_step, self.rows_in_all)
        return [self._row(place) for place in range(start, end)]

    def _row(self, place: int) -> Sequence[Example]:
        mixed = place * self._percent // 100
        if self.mixed_in and (place + 1) * self._percent // 100 > mixed:
            return self.mixed_in.at(mixed)
        return self.stream.at(place - mixed)

    @property
    def _percent(self) -> int:
        return self.mixed_percent if self.mixed_in else 0


def place_of(index: int, count: int, seed: str) -> int:
    """Give where the row lies that comes at `index` of so many; each comes once."""
    group, place = divmod(index, BLOCK * MIXED)
    return _group(group, count, seed)[place]


@lru_cache(maxsize=8)
def _group(group: int, count: int, seed: str) -> list[int]:
    blocks = _blocks(count, seed)[group * MIXED : (group + 1) * MIXED]
    places = [
        place
        for block in blocks
        for place in range(block * BLOCK, min((block + 1) * BLOCK, count))
    ]
    # Not for secrets: the same seed must give the same order on every machine.
    random.Random(f"{seed}:{group}").shuffle(places)  # noqa: S311
    return places


@lru_cache(maxsize=4)
def _blocks(count: int, seed: str) -> list[int]:
    """Order the blocks; one that is not full comes last: all before it have one size."""
    full, rest = divmod(count, BLOCK)
    blocks = list(range(full))
    random.Random(seed).shuffle(blocks)  # noqa: S311
    return [*blocks, full] if rest else blocks

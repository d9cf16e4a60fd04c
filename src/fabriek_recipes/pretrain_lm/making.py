"""Turns a shard of text into packed rows of tokens on disk, whole or not at all."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import numpy as np
import torch
from numpy.typing import NDArray

from fabriek_recipes.pretrain_lm.shards import Shard
from fabriek_recipes.pretrain_lm.survey import hash_of
from fabriek_recipes.run_folder import write_whole
from fabriek_recipes.training import frames
from fabriek_recipes.training.packing import Example, pack

# Held in memory at once while rows are filled: more fills them little better.
TOKENS_HELD = 2**20
# Turned into tokens together, so that several cores have work.
BATCH_TEXTS, BATCH_BYTES = 512, 2**20

Tokens = NDArray[np.int32]
Encode = Callable[[Sequence[str]], list[Tokens]]
"""Gives the tokens of each text, with the signs of its beginning and end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a shard became. `highest`: the highest number of a token; `words`: by spaces.

    `left_out`: texts that are kept apart for scoring, and their twins.
    """

    rows: int = 0
    texts: int = 0
    tokens: int = 0
    words: int = 0
    left_out: int = 0
    most_texts: int = 0
    highest: int = 0

    def __add__(self, other: Made) -> Made:
        """Add two up."""
        sums = {
            name: getattr(self, name) + getattr(other, name)
            for name in ("rows", "texts", "tokens", "words", "left_out")
        }
        return Made(
            most_texts=max(self.most_texts, other.most_texts),
            highest=max(self.highest, other.highest),
            **sums,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """How texts become rows: `width` tokens in a row; `apart` names what is not learned from.

    `told` is called with the size of each batch of text, and may raise to stop.
    """

    encode: Encode
    width: int
    apart: Container[int]
    by_line: bool
    seed: int
    told: Callable[[int], None]


def make(shard: Shard, path: Path, maker: Maker) -> Made:
    """Write the rows of a shard at `path`, and what it became, unless they are there."""
    if (known := known_of(path)) is not None:
        return known
    with path.open("wb") as rows, apart_of(path).open("wb") as apart:
        work = _Work(shard, maker, rows, apart)
        work.run()
        for file in (rows, apart):
            file.flush()
            os.fsync(file.fileno())
    # Written last: without it all is made again.
    write_whole(_told_of(path), json.dumps(asdict(work.made)))
    return work.made


def known_of(path: Path) -> Made | None:
    """Give what a shard became, when it was finished before."""
    with suppress(OSError, ValueError, TypeError):
        return Made(**json.loads(_told_of(path).read_bytes()))
    return None


def apart_of(path: Path) -> Path:
    """Say where the texts that are not learned from lie, one a line."""
    return path.with_name(f"apart-{path.name}")


def kept_apart(path: Path) -> Iterator[str]:
    """Give those texts; of twins one."""
    with apart_of(path).open(encoding="utf-8") as file:
        yield from (str(json.loads(line)) for line in file)


def _told_of(path: Path) -> Path:
    return path.with_name(f"told-{path.name}")


class _Work:
    """One shard under way."""

    def __init__(self, shard: Shard, maker: Maker, rows: IO[bytes], apart: IO[bytes]) -> None:
        self._shard, self._maker, self._rows, self._apart = shard, maker, rows, apart
        self._held: list[Example] = []
        self._held_tokens = self._packed = 0
        self._seen_apart: set[int] = set()
        self.made = Made()

    def run(self) -> None:
        """Read, turn into tokens, pack, write."""
        for batch in self._batches():
            self._note(self._maker.encode(batch), sum(len(text.split()) for text in batch))
            self._maker.told(sum(len(text.encode()) for text in batch))
            if self._held_tokens >= TOKENS_HELD:
                self._write()
        self._write()

    def _batches(self) -> Iterator[list[str]]:
        batch: list[str] = []
        size = 0
        for text in self._shard.texts(by_line=self._maker.by_line):
            if (name := hash_of(text)) in self._maker.apart:
                self._leave_out(name, text)
                continue
            batch.append(text)
            size += len(text)
            if len(batch) >= BATCH_TEXTS or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _leave_out(self, name: int, text: str) -> None:
        self.made += Made(left_out=1)
        if name not in self._seen_apart:
            self._seen_apart.add(name)
            self._apart.write(f"{json.dumps(text)}\n".encode())

    def _note(self, encoded: list[Tokens], words: int) -> None:
        windows = [one for ids in encoded for one in windows_of(ids, self._maker.width)]
        self._held += windows
        tokens = sum(len(one.ids) for one in windows)
        self._held_tokens += tokens
        highest = max((int(ids.max()) for ids in encoded if len(ids)), default=0)
        self.made += Made(texts=len(encoded), tokens=tokens, words=words, highest=highest)

    def _write(self) -> None:
        """Fill rows with what is held, and write them in an order without order."""
        rows = pack(self._held, self._maker.width)
        name = f"{self._maker.seed}:{self._shard.number}:{self._packed}"
        random.Random(name).shuffle(rows)  # noqa: S311  not for secrets: the same again
        for row in rows:
            self._rows.write(frames.laid(row, self._maker.width).astype("<u4").tobytes())
        most = max((len(row) for row in rows), default=0)
        self.made += Made(rows=len(rows), most_texts=most)
        self._held, self._held_tokens = [], 0
        self._packed += 1


def windows_of(ids: Tokens, width: int) -> list[Example]:
    """Cut a text that is too long; one token alone has nothing to be predicted from."""
    pieces = torch.split(torch.from_numpy(ids), width)
    return [Example(piece, 1) for piece in pieces if len(piece) > 1]

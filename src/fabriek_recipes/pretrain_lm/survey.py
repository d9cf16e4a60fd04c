"""Reads a corpus once to count it, and to choose which texts are kept apart for scoring."""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path

from fabriek_recipes.pretrain_lm.shards import Shard
from fabriek_recipes.run_folder import write_whole

# With fewer texts than this, each line counts as one: the files have hardly any blank lines.
TEXTS_MIN = 20
# A text is known by so much of its SHA-256: among a thousand million texts, two that differ
# and look the same are likelier not to be there than to be.
HASH_BYTES = 8
HASHES = 1 << (8 * HASH_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What there is in a shard, or in all of them."""

    texts: int = 0
    text_bytes: int = 0

    def __add__(self, other: Counted) -> Counted:
        """Add two up."""
        return Counted(
            texts=self.texts + other.texts, text_bytes=self.text_bytes + other.text_bytes
        )


def hash_of(text: str) -> int:
    """Name a text by all that it says: twins have one name."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:HASH_BYTES])


def lot_of(name: int) -> float:
    """Draw a number below 1 from the name of a text, that says nothing about the name's own."""
    told = hashlib.sha256(f"lot {name}".encode()).digest()[:HASH_BYTES]
    return int.from_bytes(told) / HASHES


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How to count: lines or texts, how many hashes to note, and which share to copy.

    `sample` is that share, of texts drawn by lot: enough to learn a tokenizer from.
    """

    by_line: bool
    most: int
    sample: float = 0.0


def count(shard: Shard, path: Path, asked: Asked, told: Callable[[int], None]) -> Counted:
    """Count a shard and note its lowest hashes at `path`, unless that was done before.

    `told` is called with the size of each text, and may raise to stop.
    """
    if (known := _known(path)) is not None:
        return known
    lowest = Lowest(asked.most)
    counted = Counted()
    with sample_of(path).open("w", encoding="utf-8") as sample:
        for text in shard.texts(by_line=asked.by_line):
            name, size = hash_of(text), len(text.encode())
            counted += Counted(texts=1, text_bytes=size)
            lowest.note(name)
            if lot_of(name) < asked.sample:
                sample.write(f"{json.dumps(text)}\n")
            told(size)
    # Written last: without it all is done again.
    write_whole(path, json.dumps({**asdict(counted), "lowest": list(lowest)}))
    return counted


def sample_of(path: Path) -> Path:
    """Say where the texts drawn by lot lie, one a line."""
    return path.with_name(f"sample-{path.name}")


def sampled(paths: Sequence[Path], *, apart: Container[int]) -> Iterator[str]:
    """Give the texts drawn by lot, but those that are kept apart."""
    for path in paths:
        with sample_of(path).open(encoding="utf-8") as file:
            yield from (text for line in file if hash_of(text := json.loads(line)) not in apart)


def lowest_of(paths: Sequence[Path], *, texts: int, percent: int, most: int) -> list[int]:
    """Choose what is kept apart of all shards: the lowest hashes; of one text alone, none.

    Equal texts fall on the same side, and adding texts moves few others.
    """
    wanted = min(most, ceil(texts * percent / 100)) if texts > 1 else 0
    lowest = Lowest(wanted + 1)
    for path in paths:
        for name in json.loads(path.read_bytes())["lowest"]:
            lowest.note(name)
    # Of texts that are all alike one name stands for all: something must be left to learn.
    return sorted(lowest)[: min(wanted, len(lowest) - 1)] if wanted else []


class Lowest:
    """Keeps the lowest different numbers of many, in memory for those alone."""

    def __init__(self, most: int) -> None:
        """Begin with none."""
        self._most = most
        self._heap: list[int] = []  # negative, so that the highest is on top
        self._kept: set[int] = set()

    def __iter__(self) -> Iterator[int]:
        """Give them in any order."""
        return iter(self._kept)

    def __len__(self) -> int:
        """Count them."""
        return len(self._kept)

    def note(self, number: int) -> None:
        """Keep it, if it is one of the lowest."""
        if number in self._kept or not self._most:
            return
        if len(self._kept) < self._most:
            heapq.heappush(self._heap, -number)
        elif number < -self._heap[0]:
            self._kept.discard(-heapq.heapreplace(self._heap, -number))
        else:
            return
        self._kept.add(number)


def _known(path: Path) -> Counted | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = json.loads(path.read_bytes())
        return Counted(texts=int(told["texts"]), text_bytes=int(told["text_bytes"]))
    return None

"""Packs texts of different length into rows of one length, without letting them see each other.

Shapes: B rows in a step, T tokens in a row.
"""

from __future__ import annotations

import random
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass

import torch

IGNORED = -100


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """Tokens of one text, 32 bits each; those from `learn_from` on are to be predicted."""

    ids: torch.Tensor
    learn_from: int

    @property
    def learned(self) -> int:
        """How many of its tokens are predicted; the first has nothing before it."""
        return max(0, len(self.ids) - max(1, self.learn_from))


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One step's tokens; `labels_BT[b, t]` is the token to predict after position t."""

    ids_BT: torch.Tensor
    positions_BT: torch.Tensor
    labels_BT: torch.Tensor
    mask_B1TT: torch.Tensor
    tokens: int
    """Real tokens, without filling."""

    def to(self, device: torch.device) -> Batch:
        """Move to a device."""
        return Batch(
            ids_BT=self.ids_BT.to(device, non_blocking=True),
            positions_BT=self.positions_BT.to(device, non_blocking=True),
            labels_BT=self.labels_BT.to(device, non_blocking=True),
            mask_B1TT=self.mask_B1TT.to(device, non_blocking=True),
            tokens=self.tokens,
        )


def pack(examples: Sequence[Example], width: int) -> list[list[Example]]:
    """Fill rows of `width` tokens, longest first, each into the fullest row it still fits in.

    Every example must fit on its own.
    """
    rows: list[list[Example]] = []
    room: list[tuple[int, int]] = []  # (tokens left, row), sorted
    for example in sorted(examples, key=lambda each: -len(each.ids)):
        size = len(example.ids)
        place = bisect_left(room, (size, -1))
        if place == len(room):
            rows.append([example])
            left, row = width - size, len(rows) - 1
        else:
            left, row = room.pop(place)
            rows[row].append(example)
            left -= size
        insort(room, (left, row))
    return rows


def order(count: int, *, seed: int, epoch: int) -> list[int]:
    """Give the order of rows in one pass; it depends on nothing but its arguments."""
    # Not for secrets: the same seed must give the same order on every machine.
    shuffled = list(range(count))
    random.Random(f"{seed}:{epoch}").shuffle(shuffled)  # noqa: S311
    return shuffled


def batch(rows: Sequence[Sequence[Example]], fill: int) -> Batch:
    """Lay rows side by side; positions restart at each text, and each sees only itself."""
    width = max(sum(len(example.ids) for example in row) for row in rows)
    shape = (len(rows), width)
    ids_BT = torch.full(shape, fill)
    positions_BT = torch.zeros(shape, dtype=torch.long)
    labels_BT = torch.full(shape, IGNORED)
    texts_BT = torch.zeros(shape, dtype=torch.long)
    for index, row in enumerate(rows):
        start = 0
        for number, example in enumerate(row, 1):
            end = start + len(example.ids)
            tokens = example.ids.long()
            first = max(1, example.learn_from)
            ids_BT[index, start:end] = tokens
            positions_BT[index, start:end] = torch.arange(len(tokens))
            texts_BT[index, start:end] = number
            labels_BT[index, start + first - 1 : end - 1] = tokens[first:]
            start = end
    return Batch(
        ids_BT=ids_BT,
        positions_BT=positions_BT,
        labels_BT=labels_BT,
        mask_B1TT=_mask(texts_BT),
        tokens=sum(len(example.ids) for row in rows for example in row),
    )


def _mask(texts_BT: torch.Tensor) -> torch.Tensor:
    # Filling is text 0 and sees itself too: a row that sees nothing would give not-a-number.
    same_BTT = texts_BT[:, :, None] == texts_BT[:, None, :]
    return torch.tril(same_BTT)[:, None]

"""Packs texts of different length into rows of one length, without letting them see each other.

Shapes: B rows in a step, T tokens in a row.
"""

from __future__ import annotations

import random
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import torch

IGNORED = -100


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """Tokens of one text, 32 bits each; those from `learn_from` on are to be predicted.

    But not those in `skipped`, each from its first place up to its last: what stands between
    the answers of a conversation.
    """

    ids: torch.Tensor
    learn_from: int
    skipped: tuple[tuple[int, int], ...] = ()

    @property
    def learned(self) -> int:
        """How many of its tokens are predicted; the first has nothing before it."""
        between = sum(end - start for start, end in self.skipped)
        return max(0, len(self.ids) - max(1, self.learn_from) - between)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One step's tokens; `labels_BT[b, t]` is the token to predict after position t.

    `wanted_N` are the places that have one, counted through all rows. `ends_T`, where texts lie
    end to end in one row, is where each begins, and last where the row ends.
    """

    ids_BT: torch.Tensor
    positions_BT: torch.Tensor
    labels_BT: torch.Tensor
    texts_BT: torch.Tensor
    wanted_N: torch.Tensor
    ends_T: torch.Tensor | None
    longest: int
    tokens: int
    """Real tokens, without filling."""
    is_fixed: bool = False
    """Whether every step has this shape."""

    @property
    def mask_B1TT(self) -> torch.Tensor:  # noqa: N802  # an array, like its neighbours
        """Which tokens each may look at: those before it in its own text."""
        # Filling is text 0 and sees itself too: what sees nothing would give not-a-number.
        same_BTT = self.texts_BT[:, :, None] == self.texts_BT[:, None, :]
        return torch.tril(same_BTT)[:, None]

    def to(self, device: torch.device) -> Batch:
        """Move to a device."""
        if device.type == "cpu":
            return self
        return replace(
            self,
            ids_BT=_moved(self.ids_BT, device),
            positions_BT=_moved(self.positions_BT, device),
            labels_BT=_moved(self.labels_BT, device),
            texts_BT=_moved(self.texts_BT, device),
            wanted_N=_moved(self.wanted_N, device),
            ends_T=None if self.ends_T is None else _moved(self.ends_T, device),
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
    return _laid((len(rows), width), rows, fill)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The one shape of every step: a compiled model is compiled again for each other one."""

    tokens: int
    texts: int
    longest: int

    @property
    def most_ends(self) -> int:
        """Where texts end at most, with those of filling, and one more for the beginning."""
        return self.texts + -(-self.tokens // self.longest) + 2


def frame(rows: Sequence[Sequence[Example]], rows_per_step: int) -> Frame:
    """Give a shape that any `rows_per_step` of these rows fit in."""
    counts = sorted((len(row) for row in rows), reverse=True)
    widest = max(sum(len(example.ids) for example in row) for row in rows)
    longest = max(len(example.ids) for row in rows for example in row)
    return framed(
        tokens=rows_per_step * widest, texts=sum(counts[:rows_per_step]), longest=longest
    )


def framed(*, tokens: int, texts: int, longest: int) -> Frame:
    """Give the shape of steps that have at most so much of each."""
    return Frame(tokens=tokens, texts=texts, longest=_power_of_two(longest))


def end_to_end(
    rows: Sequence[Sequence[Example]], fill: int, within: Frame | None = None
) -> Batch:
    """Lay the texts of all rows in one row, which `within` is filled up with more texts."""
    texts = [example for row in rows for example in row]
    lengths = [len(example.ids) for example in texts]
    longest = within.longest if within else _power_of_two(max(lengths))
    if within:
        left = within.tokens - sum(lengths)
        lengths += [longest] * (left // longest) + [left % longest]
    found = _laid((1, sum(lengths)), [texts], fill)
    ends = [0, *accumulate(lengths)]
    if within:  # texts of no tokens cost next to nothing
        ends += [ends[-1]] * (within.most_ends - len(ends))
    ends_T = torch.tensor(ends, dtype=torch.int32)
    return replace(found, ends_T=ends_T, longest=longest, is_fixed=within is not None)


def _power_of_two(least: int) -> int:
    return 1 << max(0, least - 1).bit_length()


def _laid(shape: tuple[int, int], rows: Sequence[Sequence[Example]], fill: int) -> Batch:
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
            for left, right in example.skipped:
                labels_BT[index, start + left - 1 : start + right - 1] = IGNORED
            start = end
    return Batch(
        ids_BT=ids_BT,
        positions_BT=positions_BT,
        labels_BT=labels_BT,
        texts_BT=texts_BT,
        wanted_N=(labels_BT.view(-1) != IGNORED).nonzero()[:, 0],
        ends_T=None,
        longest=shape[1],
        tokens=sum(len(example.ids) for row in rows for example in row),
    )


def _moved(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    # Only pinned memory is copied while the processor goes on.
    return tensor.pin_memory().to(device, non_blocking=True)

"""Adds up the gradients of all processes while the way back through the model makes others."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import distributed, nn

# Gradients go in pieces: few calls, and the first is on its way soon. As large as torch's own
# DistributedDataParallel makes them.
PIECE_BYTES = 25 * 2**20
# Of which so many are under way at once: beside the gradients there is room for no more.
UNDER_WAY = 8

Piece = list[nn.Parameter]


class Sums:
    """Sends each piece of gradients as soon as it is there, in the same order everywhere.

    The pieces follow from the weights alone, so that sums are the same to the bit in each step
    and after each resume. A process that learned from nothing sends zeros.
    """

    def __init__(self, weights: Sequence[nn.Parameter]) -> None:
        """Listen to these weights, which are all that learn."""
        # The way back comes to the last weights first.
        self._pieces = list(_pieces(weights[::-1]))
        self._under_way: deque[tuple[Piece, torch.Tensor, distributed.Work]] = deque()
        self._begin()
        for number, piece in enumerate(self._pieces):
            for weight in piece:
                come = partial(self._come, number)
                weight.register_post_accumulate_grad_hook(come)  # type: ignore[no-untyped-call]

    def finish(self) -> None:
        """Send what was not sent, and wait for all sums; each gradient is then its sum."""
        for piece in self._pieces[self._sent :]:
            for weight in piece:
                if weight.grad is None:
                    weight.grad = torch.zeros_like(weight)
        while self._sent < len(self._pieces):
            self._send()
        while self._under_way:
            self._take()
        self._begin()

    def _begin(self) -> None:
        self._sent = 0
        self._missing = [len(piece) for piece in self._pieces]

    def _come(self, number: int, _weight: torch.Tensor) -> None:
        """Note that one more gradient of a piece is whole."""
        self._missing[number] -= 1
        while self._sent < len(self._pieces) and not self._missing[self._sent]:
            self._send()

    @torch.no_grad()
    def _send(self) -> None:
        if len(self._under_way) == UNDER_WAY:
            self._take()
        piece = self._pieces[self._sent]
        flat = torch.cat([_gradient(weight).reshape(-1) for weight in piece])
        work = distributed.all_reduce(flat, async_op=True)
        self._under_way.append((piece, flat, work))
        self._sent += 1

    @torch.no_grad()
    def _take(self) -> None:
        piece, flat, work = self._under_way.popleft()
        work.wait()
        parts = torch.split(flat, [weight.numel() for weight in piece])
        for weight, part in zip(piece, parts, strict=True):
            _gradient(weight).copy_(part.view_as(weight))


def _gradient(weight: nn.Parameter) -> torch.Tensor:
    assert weight.grad is not None
    return weight.grad


def _pieces(weights: Sequence[nn.Parameter]) -> Iterator[Piece]:
    piece: Piece = []
    size = 0
    for weight in weights:
        if piece and (size + weight.nbytes > PIECE_BYTES or weight.dtype != piece[0].dtype):
            yield piece
            piece, size = [], 0
        piece.append(weight)
        size += weight.nbytes
    if piece:
        yield piece

"""Bytes on their way in: to their file, and through hashes, while the next ones are received.

A few pieces of memory take turns. Each thing that is done to a piece has a thread of its own,
so that it meets the pieces in their order; hashing, writing and receiving all let go of the
interpreter. What is large goes past the kernel's own memory where the disk can do that: to
find pages, to copy into them and to write them out later costs half of what all the rest does.
"""

import mmap
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain
from typing import Protocol

from fabriek.store.direct import CANNOT, set_direct
from fabriek.store.early import Early
from fabriek.store.hashing import WORTH_A_THREAD_BYTES

PIECE_BYTES, PIECES = 2 * 2**20, 3
BLOCK_BYTES = 4096  # a multiple of any disk's block

ReadInto = Callable[[memoryview], int]
Work = Callable[[memoryview, int], object]  # given a piece, and where it lies in the file


class Digest(Protocol):
    def update(self, piece: memoryview, /) -> object: ...


def pour(
    readinto: ReadInto,
    descriptor: int,
    digests: Sequence[Digest],
    *,
    at: int = 0,
    stays_at_hand: bool = False,
) -> int:
    """Write what `readinto` gives, until it gives nothing, from the offset `at` on.

    `stays_at_hand`: it is read soon, so the kernel is to keep it in its memory.

    Returns the number of bytes. All are written and hashed then; flushing is the caller's.

    Raises: OSError of the disk, or what `readinto` raises; some may be there by then.
    """
    first = _memory()
    size = _filled(readinto, first)
    if size < WORTH_A_THREAD_BYTES:
        _Writer(descriptor, at).write(first[:size], at)
        for digest in digests:
            digest.update(first[:size])
        return size
    pieces = [first, *(_memory() for _ in range(PIECES - 1))]
    writer = _Writer(descriptor, at, is_direct=not stays_at_hand)
    try:
        works = [writer.write, *map(_hashing, digests)]
        return _side_by_side(readinto, pieces, size, works, at)
    finally:
        writer.end()


def _side_by_side(
    readinto: ReadInto, pieces: list[memoryview], size: int, works: list[Work], at: int
) -> int:
    """Go on from a first piece of `size`; each is filled again when all are done with it."""
    got = turn = 0
    busy: list[list[Future[object]]] = [[] for _ in pieces]
    with ExitStack() as stack:  # waits for what goes on, also where something failed
        lanes = [stack.enter_context(ThreadPoolExecutor(1)) for _ in works]
        while size:
            piece = pieces[turn][:size]
            busy[turn] = [
                lane.submit(work, piece, at + got)
                for lane, work in zip(lanes, works, strict=True)
            ]
            got += size
            turn = (turn + 1) % len(pieces)
            _settle(busy[turn])
            size = _filled(readinto, pieces[turn])
        _settle(chain.from_iterable(busy))
    return got


def _memory() -> memoryview:
    """Give memory that lies as disks want it; what is not touched costs nothing."""
    return memoryview(mmap.mmap(-1, PIECE_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


def _settle(works: "chain[Future[object]] | list[Future[object]]") -> None:
    for each in works:
        each.result()


def _filled(readinto: ReadInto, piece: memoryview) -> int:
    """Fill it as far as there is something: a disk wants its pieces whole."""
    filled = 0
    while filled < len(piece) and (got := readinto(piece[filled:])):
        filled += got
    return filled


def _hashing(digest: Digest) -> Work:
    return lambda piece, _at: digest.update(piece)


class _Writer:
    """Writes pieces at their places, past the kernel's memory for as long as that can be."""

    def __init__(self, descriptor: int, at: int, *, is_direct: bool = False) -> None:
        self._descriptor = descriptor
        self._early = Early(descriptor, at=at)
        self._is_direct = is_direct and set_direct(descriptor, is_on=True)

    def write(self, piece: memoryview, at: int) -> None:
        """Write all of it: a disk that is nearly full takes a part first, and says so next."""
        while piece:
            written = self._directly(piece, at) if self._is_direct else 0
            if not written:
                self.end()
                written = os.pwrite(self._descriptor, piece, at)
                self._early.wrote(written)
            piece, at = piece[written:], at + written

    def end(self) -> None:
        """Write the ordinary way from here on."""
        if self._is_direct:
            set_direct(self._descriptor, is_on=False)
        self._is_direct = False

    def _directly(self, piece: memoryview, at: int) -> int:
        """Write the whole blocks of a piece; 0 where that cannot be."""
        whole = len(piece) - len(piece) % BLOCK_BYTES
        if at % BLOCK_BYTES or not whole:
            return 0
        try:
            return os.pwrite(self._descriptor, piece[:whole], at)
        except OSError as error:
            if error.errno not in CANNOT:
                raise
            return 0

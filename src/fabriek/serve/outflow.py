"""Files on their way out: the kernel sends them, and the disk is asked some MiB ahead of it.

Left alone the kernel reads as far ahead as a disk was set up for, often no more than 128 KiB,
and the client waits each time. What lies in its memory already it sends best in one go.
"""

import os
import socket
from contextlib import suppress
from typing import Any

PIECE_BYTES = 4 * 2**20
AHEAD_BYTES = 16 * 2**20  # of a client who goes away meanwhile, so much was read for nothing
# Of one wish the kernel grants no more than it reads ahead itself, or a disk takes at once.
WISH_BYTES = 128 * 2**10


class Socket(socket.socket):
    """That of a client, who is sent what is large in pieces."""

    __slots__ = ()

    @classmethod
    def of(cls, plain: socket.socket) -> "Socket":
        """Take over a connection; whoever held it before holds nothing."""
        return plain if isinstance(plain, cls) else cls(fileno=plain.detach())

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:  # noqa: ANN401  as its own
        end = offset + (count or 0)
        if end - offset <= PIECE_BYTES or _is_at_hand(file.fileno(), offset, end):
            return super().sendfile(file, offset, count)
        at = asked = offset
        while at < end:
            asked = _ask(file.fileno(), asked, min(at + AHEAD_BYTES, end))
            sent = super().sendfile(file, at, min(PIECE_BYTES, end - at))
            if not sent:  # the file is shorter than was said
                break
            at += sent
        return at - offset


def _is_at_hand(descriptor: int, first: int, end: int) -> bool:
    """Tell whether it lies in the kernel's memory, as far as a byte here and there tells."""
    one = bytearray(1)
    try:
        return all(
            os.preadv(descriptor, [one], at, os.RWF_NOWAIT)
            for at in range(first, end, AHEAD_BYTES)
        )
    except OSError:  # it would wait for the disk, or cannot be asked
        return False


def _ask(descriptor: int, first: int, end: int) -> int:
    """Have the disk begin with those bytes; a wish only, so never mind the answer."""
    for at in range(first, end, WISH_BYTES):
        with suppress(OSError):
            size = min(WISH_BYTES, end - at)
            os.posix_fadvise(descriptor, at, size, os.POSIX_FADV_WILLNEED)
    return max(first, end)

"""Let the disk begin early with what comes in, so that the flush at its end waits for little.

Left alone, the kernel gathers gigabytes before it begins, and whoever flushes then waits for
all of it. A wish only: what has to outlive a power cut is flushed by who writes it.
"""

import ctypes
from functools import cache
from typing import Any

EVERY_BYTES = 4 * 2**20
BEGIN = 0x02  # linux/fs.h: SYNC_FILE_RANGE_WRITE


class Early:
    """Told of each piece that was written, it asks the kernel to begin every few MiB."""

    def __init__(self, descriptor: int, *, at: int = 0) -> None:
        self.descriptor = descriptor
        self.asked = self.written = at

    def wrote(self, size_bytes: int) -> None:
        self.written += size_bytes
        if self.written - self.asked >= EVERY_BYTES:
            _begin(self.descriptor, self.asked, self.written - self.asked)
            self.asked = self.written


def _begin(descriptor: int, offset: int, size_bytes: int) -> None:
    """Ask, and never mind the answer: the flush at the end tells what went wrong."""
    ask = _known_here()
    if ask is not None:
        ask(descriptor, ctypes.c_int64(offset), ctypes.c_int64(size_bytes), BEGIN)


@cache
def _known_here() -> Any:  # noqa: ANN401  a function of C
    return getattr(ctypes.CDLL(None), "sync_file_range", None)

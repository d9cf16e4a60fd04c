"""Write much at once past the kernel's own memory, where the disk can do that.

Through that memory every byte is copied into pages that must be found first, and written out
later: on a busy machine that takes ten times as long as the disk does. What was written so is
read from the disk the first time; the last few MiB, and so all of what is small, stay at hand.
"""

import errno
import fcntl
import mmap
import os

from fabriek.store.early import Early

AT_ONCE_BYTES = 4 * 2**20  # a multiple of any disk's block
O_DIRECT = getattr(os, "O_DIRECT", 0)
CANNOT = {errno.EINVAL, errno.EOPNOTSUPP}


class Direct:
    """Writes a new file from its beginning; all of it is written, not flushed, after `end`.

    What is given is gathered in memory that lies as disks want it.
    """

    def __init__(self, descriptor: int) -> None:
        self.written = 0
        self._descriptor = descriptor
        self._memory = mmap.mmap(-1, AT_ONCE_BYTES)
        self._held = 0
        self._early = Early(descriptor)
        self._is_direct = self._set(O_DIRECT) if O_DIRECT else False

    def write(self, piece: bytes) -> None:
        rest = memoryview(piece)
        while rest:
            some = rest[: AT_ONCE_BYTES - self._held]
            end = self._held + len(some)
            self._memory[self._held : end] = some
            self._held, rest = end, rest[len(some) :]
            if self._held == AT_ONCE_BYTES:
                self._write_held()

    def end(self) -> None:
        """Write the rest, which is no whole block, the ordinary way."""
        self._back_to_ordinary()
        self._write_held()

    def _write_held(self) -> None:
        memory, at = memoryview(self._memory), 0
        while at < self._held:
            at += self._some(memory[at : self._held])
        self.written += self._held
        if not self._is_direct:
            self._early.wrote(self._held)
        self._held = 0

    def _some(self, memory: memoryview) -> int:
        """Write as much as the disk takes: one that is nearly full says so the next time."""
        try:
            return os.write(self._descriptor, memory)
        except OSError as error:
            if not self._is_direct or error.errno not in CANNOT:
                raise
        self._back_to_ordinary()
        return os.write(self._descriptor, memory)

    def _back_to_ordinary(self) -> None:
        if self._is_direct:
            self._set(0)
        self._is_direct = False

    def _set(self, flag: int) -> bool:
        """Change how the file is written. False where its file system cannot."""
        flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL) & ~O_DIRECT
        try:
            fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags | flag)
        except OSError as error:
            if error.errno not in CANNOT:
                raise
            return False
        return True

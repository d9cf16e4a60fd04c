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
MOST_PIECES = 1000  # the kernel takes 1,024 at once
CANNOT = {errno.EINVAL, errno.EOPNOTSUPP}


class Direct:
    """Writes a new file from its beginning; all of it is written, not flushed, after `end`.

    What is given is gathered in memory that lies as disks want it. The kernel lays it there:
    when Python copies, all threads of the process wait.
    """

    def __init__(self, descriptor: int) -> None:
        self.written = 0
        self._descriptor = descriptor
        self._given: list[bytes] = []
        self._given_bytes = self._held = 0
        self._behind, self._memory = _memory()
        self._early = Early(descriptor)
        self._is_direct = set_direct(descriptor, is_on=True)

    def __enter__(self) -> "Direct":
        return self

    def __exit__(self, *_told: object) -> None:
        if self._behind is not None:
            os.close(self._behind)

    def write(self, piece: bytes) -> None:
        self._given.append(piece)
        self._given_bytes += len(piece)
        if self._given_bytes >= AT_ONCE_BYTES or len(self._given) == MOST_PIECES:
            self._lay()

    def end(self) -> None:
        """Write the rest, which is no whole block, the ordinary way."""
        self._lay()
        self._back_to_ordinary()
        self._write_held()

    def _lay(self) -> None:
        """Lay what was given behind what is held; write that each time it is full."""
        rest = [memoryview(piece) for piece in self._given]
        self._given, self._given_bytes = [], 0
        while rest:
            some, rest = _parted(rest, AT_ONCE_BYTES - self._held)
            self._held += self._laid(some)
            if self._held == AT_ONCE_BYTES:
                self._write_held()

    def _laid(self, pieces: list[memoryview]) -> int:
        """Lay all of it in memory. Raises: OSError, when there is not that much."""
        end = self._held
        if self._behind is None:
            for piece in pieces:
                self._memory[end : end + len(piece)] = piece
                end += len(piece)
            return end - self._held
        while pieces:
            laid = os.pwritev(self._behind, pieces, end)
            end += laid
            _there, pieces = _parted(pieces, laid)
        return end - self._held

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
            set_direct(self._descriptor, is_on=False)
        self._is_direct = False


def set_direct(descriptor: int, *, is_on: bool) -> bool:
    """Change how a file is written. False where its file system cannot."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL) & ~O_DIRECT
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | O_DIRECT if is_on else flags)
    except OSError as error:
        if error.errno not in CANNOT:
            raise
        return False
    return is_on and bool(O_DIRECT)


def _parted(pieces: list[memoryview], room: int) -> tuple[list[memoryview], list[memoryview]]:
    """Part what there is room for from the rest, within a piece where that must be."""
    for number, piece in enumerate(pieces):
        if len(piece) > room:
            return [*pieces[:number], piece[:room]], [piece[room:], *pieces[number + 1 :]]
        room -= len(piece)
    return pieces, []


def _memory() -> tuple[int | None, mmap.mmap]:
    """Give memory, and the file that it is where this machine lets memory be one."""
    try:
        behind = os.memfd_create("pack", os.MFD_CLOEXEC)
    except OSError:
        return None, mmap.mmap(-1, AT_ONCE_BYTES)
    try:
        os.ftruncate(behind, AT_ONCE_BYTES)
        return behind, mmap.mmap(behind, AT_ONCE_BYTES)
    except OSError:  # no file of ours may be as large
        os.close(behind)
        return None, mmap.mmap(-1, AT_ONCE_BYTES)

"""Read bytes again and compare them, at the speed of the disk and without pushing others out.

Read, and not mapped into memory: where a disk fails, a read says so, and a mapping would kill
the process. Pages that this reading brought in are dropped again: RWF_DONTCACHE does that for
its own pages only, and leaves alone what a run has in memory. Where the system does not know
it, all pages of the part are let go, which costs a run that reads there one more read.
"""

import errno
import os
import stat
from hashlib import sha256
from pathlib import Path

from blake3 import blake3

from fabriek.store.base import Harm, Kept, Looked, Pace

PIECE_BYTES = 4 * 2**20
RWF_DONTCACHE = 0x80  # linux/fs.h, since Linux 6.14
CANNOT = {errno.EOPNOTSUPP, errno.EINVAL}


def look_at(path: Path, kept: Kept, *, pace: Pace) -> Looked:
    """Compare what lies in a file: all of it, or the part of a pack."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return Looked(harm=Harm.GONE)
    try:
        return look(descriptor, kept, offset=kept.pack_offset, pace=pace)
    finally:
        os.close(descriptor)


def unhurried(_size_bytes: int) -> None:
    """Read on at once."""


def look(descriptor: int, kept: Kept, *, offset: int, pace: Pace) -> Looked:
    """Compare what lies from `offset` on in an open file."""
    found = os.fstat(descriptor)
    mark = mark_of(found)
    if not stat.S_ISREG(found.st_mode) or found.st_size < offset + kept.size_bytes:
        return Looked(harm=Harm.SHORT, mark=mark)
    if kept.pack_id is None and found.st_size != kept.size_bytes:
        return Looked(harm=Harm.SHORT, mark=mark)
    try:
        read = _Reader(descriptor, offset, kept.size_bytes)
        fast, slow = _hashed(read, with_sha256=not kept.blake3, pace=pace)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return Looked(harm=Harm.UNREADABLE, mark=mark)
    is_same = fast == kept.blake3 if kept.blake3 else slow == kept.sha256
    return Looked(harm=None if is_same else Harm.CHANGED, blake3=fast, mark=mark)


def mark_of(found: os.stat_result) -> str:
    return f"{found.st_ino}-{found.st_size}"


class _Reader:
    """Pieces of a part of a file, each in the same memory."""

    def __init__(self, descriptor: int, offset: int, size_bytes: int) -> None:
        self.descriptor = descriptor
        self.at, self.end = offset, offset + size_bytes
        self.memory = bytearray(min(PIECE_BYTES, size_bytes))
        self.flags = RWF_DONTCACHE

    def piece(self) -> memoryview:
        """Give the next piece, empty at the end."""
        wanted = memoryview(self.memory)[: self.end - self.at]
        got = self._read(wanted) if wanted else 0
        if not self.flags and got:
            os.posix_fadvise(self.descriptor, self.at, got, os.POSIX_FADV_DONTNEED)
        self.at += got
        return wanted[:got]

    def _read(self, wanted: memoryview) -> int:
        try:
            return os.preadv(self.descriptor, [wanted], self.at, self.flags)
        except OSError as error:
            if error.errno not in CANNOT or not self.flags:
                raise
            self.flags = 0
            return self._read(wanted)


def _hashed(read: _Reader, *, with_sha256: bool, pace: Pace) -> tuple[str, str]:
    fast, slow = blake3(), sha256()
    while piece := read.piece():
        fast.update(piece)
        if with_sha256:
            slow.update(piece)
        pace(len(piece))
    return fast.hexdigest(), slow.hexdigest()

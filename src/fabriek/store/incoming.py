"""A file on its way in: written and hashed at the same time, gone again unless it is kept."""

import errno
import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

from blake3 import blake3
from django.utils.translation import gettext as _

from fabriek.kernel.errors import StorageFull, TooLarge
from fabriek.store import inflow
from fabriek.store.hashing import Digests

FOLDER = "incoming"  # within that of an organisation
CHUNK_BYTES = 2 * 2**20
# No room, no quota left, or a limit on the size of any file.
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# What comes in leaves this much of a disk alone, at most this part of it: a database there that
# cannot write stops everybody, also who would throw away what filled the disk.
SPARE_BYTES, SPARE_PART = 2**30, 50
# Nor while it comes: how long a stream is, is known at its end only.
LOOK_EVERY_BYTES = 64 * 2**20


class Readable(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


@runtime_checkable
class ReadableInto(Protocol):
    """Fills memory of ours: pieces of their own would cost as much as sending them did."""

    def readinto(self, target: memoryview, /) -> int: ...


Source = Readable | Iterable[bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """Bytes that are in the store now, or that a writer knows. `blake3` empty: not known."""

    sha256: str
    size_bytes: int
    blake3: str = ""

    @classmethod
    def of(cls, digests: Digests) -> "Received":
        digests.settle()
        return cls(
            sha256=digests.sha256.hexdigest(),
            size_bytes=digests.size_bytes,
            blake3=digests.blake3.hexdigest(),
        )


@dataclass(frozen=True, slots=True)
class Incoming:
    """A temporary file that only its writer knows; locked for as long as the writer lives."""

    path: Path
    descriptor: int

    def fill(
        self, source: Source, *, limit_bytes: int, stays_at_hand: bool = False
    ) -> Received:
        """Write and hash `source`, holding a few MiB of it in memory.

        Raises: TooLarge, StorageFull.
        """
        readinto, read_bytes = filling(source), 0
        room = Room(self.path.parent)

        def within(target: memoryview) -> int:
            nonlocal read_bytes
            read_bytes += (got := readinto(target))
            if read_bytes > limit_bytes:
                raise too_large(limit_bytes)
            room.require_for(got)
            return got

        sha256, fast = hashlib.sha256(), blake3()
        size_bytes = inflow.pour(
            within, self.descriptor, [sha256, fast], stays_at_hand=stays_at_hand
        )
        return Received(
            sha256=sha256.hexdigest(), blake3=fast.hexdigest(), size_bytes=size_bytes
        )

    def write(self, chunk: bytes) -> None:
        """Write all of it: a disk that is nearly full takes a part first, and says so next."""
        rest = memoryview(chunk)
        while rest:
            rest = rest[os.write(self.descriptor, rest) :]


class _Chunks:
    """Bytes that come as they like, as something that fills memory of ours."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = memoryview(b"")

    def readinto(self, target: memoryview, /) -> int:
        if not self._held:
            self._held = memoryview(next(filter(None, self._chunks), b""))
        got = min(len(self._held), len(target))
        target[:got] = self._held[:got]
        self._held = self._held[got:]
        return got


def filling(source: Source) -> inflow.ReadInto:
    """Give what fills memory of ours with the next bytes of a source."""
    if isinstance(source, ReadableInto):
        return source.readinto
    return _Chunks(chunks_of(source)).readinto


def chunks_of(source: Source) -> Iterator[bytes]:
    if isinstance(source, Iterable) and not hasattr(source, "read"):
        return iter(source)
    return iter(partial(source.read, CHUNK_BYTES), b"")


@contextmanager
def temporary(folder: Path) -> Iterator[Incoming]:
    """Open a new file in `folder`; whatever is still there at the end is removed."""
    with refused_when_full():
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / uuid.uuid4().hex
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield Incoming(path, descriptor)
        finally:
            os.close(descriptor)
            path.unlink(missing_ok=True)


def is_abandoned(path: Path, *, before: float) -> bool:
    """Tell whether nobody writes this file any more; `before` is in seconds since 1970.

    A dead writer's lock is gone with it; the age guards the moment between making the file
    and locking it, and file systems that do not know locks.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return os.fstat(descriptor).st_mtime < before
    finally:
        os.close(descriptor)


def is_still(path: Path, descriptor: int) -> bool:
    """Tell whether what was opened still has its name."""
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def flush_folder(folder: Path) -> None:
    """Let the names in a folder outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def refused_when_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise StorageFull(
            _(
                "The disk of the factory is full, so nothing of this file was kept. "
                "Try again later, and tell the factory's staff if it stays full."
            )
        ) from error


def require_room(folder: Path, size_bytes: int = 0) -> None:
    """Say no before, and not after, the disk was filled to the brim. Raises: StorageFull."""
    folder.mkdir(parents=True, exist_ok=True)
    with refused_when_full():
        disk = shutil.disk_usage(folder)
        if disk.free - min(SPARE_BYTES, disk.total // SPARE_PART) < size_bytes:
            raise OSError(errno.ENOSPC, "no room", folder)


class Room:
    """Looks now and then whether what comes in still leaves a disk what it has to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unseen_bytes = 0

    def require_for(self, size_bytes: int) -> None:
        """Count bytes that came. Raises: StorageFull."""
        self._unseen_bytes += size_bytes
        if self._unseen_bytes >= LOOK_EVERY_BYTES:
            self._unseen_bytes = 0
            require_room(self._folder)


def too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(
        _(
            "This file is larger than %(limit)s GiB, the most the factory takes. "
            "Split it into smaller files and send those."
        )
        % {"limit": f"{limit_bytes / 2**30:g}"}
    )

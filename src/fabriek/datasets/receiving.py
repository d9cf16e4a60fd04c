"""A file that arrives in parts: the bytes on our disk, and the hashes that go with them.

    <store>/uploads/resumable/<key>     on the store's own disk: taking in copies nothing

Who writes holds a lock on the file, which is gone with its process. What the database says has
arrived was flushed first; what lies behind that is torn, and cut off before the next part.
"""

import fcntl
import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from blake3 import blake3
from django.conf import settings

from fabriek.datasets import refusals
from fabriek.kernel.body import Body
from fabriek.store import inflow
from fabriek.store.incoming import Received, refused_when_full, require_room
from fabriek.store.inflow import Digest

FOLDER = "uploads/resumable"
# A writer that got nothing for so long may be dead: whoever comes back takes its place.
SILENT_S = 3.0
TAKEN_OVER_WITHIN_S = 5.0
LOOK_EVERY_S = 0.05
KEPT_DIGESTS = 500


class Proof(Digest, Protocol):
    def digest(self) -> bytes: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Checksum:
    """What a client says that a part is: checked before any of it counts."""

    algorithm: str
    digest: bytes

    def begin(self) -> Proof:
        return ALGORITHMS[self.algorithm]()


# SHA-1 is what every client of the protocol may count on; it guards against chance only.
ALGORITHMS: dict[str, Callable[[], Proof]] = {
    "sha256": hashlib.sha256,
    "blake3": blake3,
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
}


class _Both:
    """Both names of what arrived so far; a part that does not count is taken back by a copy."""

    def __init__(self, sha256: "hashlib._Hash", fast: blake3) -> None:
        self.sha256 = sha256
        self.blake3 = fast

    def copy(self) -> "_Both":
        return _Both(self.sha256.copy(), self.blake3.copy())


@dataclass(slots=True)
class Digests:
    """What the bytes so far hash to, as long as this process lives: 2 kB per upload."""

    kept: OrderedDict[str, tuple[int, _Both]] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def at(self, key: str, offset_bytes: int) -> _Both | None:
        """Give the state at that place, or nothing where it was made by another process."""
        if offset_bytes == 0:
            return _Both(hashlib.sha256(), blake3())
        with self.lock:
            known = self.kept.get(key)
        return known[1].copy() if known and known[0] == offset_bytes else None

    def keep(self, key: str, offset_bytes: int, state: _Both | None) -> None:
        with self.lock:
            self.kept.pop(key, None)
            if state is not None:
                self.kept[key] = (offset_bytes, state)
            while len(self.kept) > KEPT_DIGESTS:
                self.kept.popitem(last=False)


digests = Digests()
_writers: dict[str, Body] = {}


def path_of(key: str) -> Path:
    return Path(settings.STORE_HOME) / FOLDER / key


def make(key: str, *, length_bytes: int) -> None:
    """Begin an empty file. Raises: StorageFull, where there is no room for all of it."""
    path = path_of(key)
    require_room(path.parent, length_bytes)
    with refused_when_full():
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def remove(key: str) -> None:
    digests.keep(key, 0, None)
    path_of(key).unlink(missing_ok=True)


def known(key: str, size_bytes: int) -> Received | None:
    """Give the hashes of a whole file, where this process saw all of it arrive."""
    state = digests.at(key, size_bytes)
    if state is None:
        return None
    sha256, fast = state.sha256.hexdigest(), state.blake3.hexdigest()
    return Received(sha256=sha256, blake3=fast, size_bytes=size_bytes)


@contextmanager
def alone(key: str) -> Iterator[int]:
    """Open the file for one writer. Raises: Busy, when another still gets bytes; Gone."""
    try:
        descriptor = os.open(path_of(key), os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError as error:
        raise refusals.upload_gone() from error
    try:
        _take(descriptor, key)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def left_alone(key: str) -> Iterator[bool]:
    """Tell whether nobody writes it now; and if so, nobody does before this is over."""
    try:
        descriptor = os.open(path_of(key), os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield True
        return
    try:
        yield _locked(descriptor)
    finally:
        os.close(descriptor)


def receive(
    descriptor: int, key: str, body: Body, *, at: int, checksum: Checksum | None
) -> int:
    """Write a part behind what is there, and say how much counts.

    A part that is cut short counts as far as it came, unless it had a checksum: of such a part
    nothing is kept that is not proved.

    Raises: OtherChecksum, StorageFull; nothing of the part is kept.
    """
    # Others may have filled the disk since it was begun.
    require_room(path_of(key).parent, body.size_bytes)
    running, check = digests.at(key, at), checksum.begin() if checksum else None
    _writers[key] = body
    try:
        os.ftruncate(descriptor, at)
        with refused_when_full():
            fed: list[Digest] = [running.sha256, running.blake3] if running else []
            fed += [check] if check else []
            got = inflow.pour(body.readinto, descriptor, fed, at=at)
            os.fdatasync(descriptor)
        _require_proved(checksum, check)
    except BaseException:
        os.ftruncate(descriptor, at)
        raise
    finally:
        _writers.pop(key, None)
    digests.keep(key, at + got, running)
    return got


def _require_proved(checksum: Checksum | None, found: Proof | None) -> None:
    if checksum and found and found.digest() != checksum.digest:
        raise refusals.other_checksum()


def join(key: str, parts: list[str]) -> None:
    """Put finished parts behind each other in the file `key`. Raises: StorageFull."""
    with alone(key) as target, refused_when_full():
        for part in parts:
            with alone(part) as source:
                _copy(source, target)
        os.fdatasync(target)


def sweep(*, kept: set[str], before: float) -> int:
    """Remove files that no upload names any more; `before` in seconds since 1970."""
    folder = Path(settings.STORE_HOME) / FOLDER
    if not folder.is_dir():
        return 0
    found = [path for path in folder.iterdir() if path.name not in kept]
    left = [path for path in found if _is_older(path, before)]
    for path in left:
        remove(path.name)
    return len(left)


def _is_older(path: Path, moment: float) -> bool:
    """Tell it of what is still there: who finishes meanwhile removes theirs."""
    try:
        return path.stat().st_mtime < moment
    except FileNotFoundError:
        return False


def _take(descriptor: int, key: str) -> None:
    """Get the lock; a writer whose client has gone silent is told to stop."""
    deadline = time.monotonic() + TAKEN_OVER_WITHIN_S
    while not _locked(descriptor):
        writer = _writers.get(key)
        now = time.monotonic()
        if writer is None or now - writer.moved_at < SILENT_S or now > deadline:
            raise refusals.upload_busy()
        writer.cut()
        time.sleep(LOOK_EVERY_S)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _copy(source: int, target: int) -> None:
    """Let the kernel copy; where the file system shares blocks, nothing is copied at all."""
    os.lseek(source, 0, os.SEEK_SET)
    os.lseek(target, 0, os.SEEK_END)
    while os.copy_file_range(source, target, 2**30):
        pass

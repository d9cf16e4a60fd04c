"""Bring objects of a bucket near: in the background, resumable, for as long as there is room.

    <near>/<organisation>/bringing/<sha256 or key of a pack>    on its way, appended to

Whoever writes such a file holds its lock, so that of two processes one brings it and the other
waits, and what a killed one brought is gone on from. A single gets its name only after its
bytes were compared. What was used least lately makes room; what was used in the last quarter of
an hour never.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from fabriek.store import base, copies, incoming, packs
from fabriek.store.base import Brought, Kept
from fabriek.store.bucket_reading import Bucket
from fabriek.store.bucket_work import Works
from fabriek.store.files import FolderStore
from fabriek.store.incoming import CHUNK_BYTES, Incoming, Received
from fabriek.store.singles import Singles, checked

FOLDER = "bringing"
IN_USE_S = 900


class Wanted:
    """One object, and where it lies near: a single, or a whole pack."""

    def __init__(self, near: FolderStore, kept: Kept) -> None:
        self.kept = kept
        self.folder = near.home / str(int(kept.organisation_id))
        self.is_pack = kept.pack_id is not None
        self.id = kept.pack_id if kept.pack_id is not None else checked(kept.sha256)
        self.path = near.path(kept)
        self.part = self.folder / FOLDER / self.id
        group = f"packs/{kept.organisation_id}" if self.is_pack else _group(kept)
        self.name = f"{group}/{self.id}"

    def is_near(self, size_bytes: int) -> bool:
        """Tell whether it is here, and if so that it is in use."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return False
        if found.st_size != size_bytes:
            return False
        used(self.path)
        return True


def _group(kept: Kept) -> str:
    return f"{int(kept.organisation_id)}/{checked(kept.sha256)[:2]}"


def used(path: Path) -> None:
    """Note that a file was used; the time that a sweep looks at stays."""
    with suppress(FileNotFoundError, PermissionError):
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


class Bringing:
    def __init__(self, bucket: Bucket, near: FolderStore, *, limit_bytes: int) -> None:
        self.bucket, self.near, self.limit_bytes = bucket, near, limit_bytes
        self._works = Works()

    def touch(self, kept: Kept) -> None:
        used(self.near.path(kept))

    def bring_now(self, wanted: Iterable[Kept]) -> None:
        """Bring what is not near, and wait. Raises: Damaged, StoreDown, StorageFull."""
        sizes = self._sizes(wanted)
        lacking = [one for one, size_bytes in sizes.values() if not one.is_near(size_bytes)]
        self.make_room(sum(sizes[one.name][1] for one in lacking))
        touched = time.monotonic()
        for work in [self._begin(one, sizes[one.name][1]) for one in lacking]:
            while not work.done():
                wait([work], timeout=IN_USE_S / 3)
                if time.monotonic() - touched > IN_USE_S / 3:
                    # Else what came first makes room for others before the last is here.
                    touched = time.monotonic()
                    for one, _size_bytes in sizes.values():
                        used(one.path)
            work.result()

    def begin(self, wanted: Sequence[Kept]) -> Brought:
        """Begin to bring, or go on, and say how far it is. Never waits for bytes.

        Raises: Damaged, StoreDown, StorageFull: of one that was tried and did not come.
        """
        sizes = self._sizes(wanted)
        lacking = [one for one, size_bytes in sizes.values() if not one.is_near(size_bytes)]
        total = sum(size_bytes for _one, size_bytes in sizes.values())
        done = total - sum(sizes[one.name][1] for one in lacking)
        for one in lacking:
            self._works.tell_failure(one.name)
        new = [one for one in lacking if one.name not in self._works]
        if new:
            self.make_room(sum(sizes[one.name][1] for one in new))
        for one in lacking:
            self._begin(one, sizes[one.name][1])
            done += _size_of(one.part)
        return Brought(done_bytes=min(done, total), total_bytes=total, is_ready=not lacking)

    def make_room(self, more_bytes: int = 0) -> None:
        """Remove what was used least lately, until `more_bytes` fit below the limit."""
        found = sorted(self._removable())
        over = sum(size_bytes for _used_at, size_bytes, _path in found)
        over += more_bytes - self.limit_bytes
        for used_at, size_bytes, path in found:
            if over <= 0 or used_at > time.time() - IN_USE_S:
                return
            path.unlink(missing_ok=True)
            over -= size_bytes

    def sweep(self, *, before: float) -> int:
        """Remove what was begun and nobody went on with since that moment."""
        parts = list(self.near.home.glob(f"[0-9]*/{FOLDER}/*"))
        return sum(_dropped(part, before=before) for part in parts)

    # --- one object --------------------------------------------------------------------
    def _begin(self, one: Wanted, size_bytes: int) -> Future[None]:
        return self._works.begin(one.name, partial(self._bring, one, size_bytes))

    def _bring(self, one: Wanted, size_bytes: int) -> None:
        if one.is_near(size_bytes):  # it came since it was looked for
            return
        with incoming.refused_when_full(), _alone(one.part) as descriptor:
            if one.is_near(size_bytes):  # another brought it while we waited
                one.part.unlink(missing_ok=True)
                return
            have = os.fstat(descriptor).st_size
            incoming.require_room(one.part.parent, max(0, size_bytes - have))
            self._fill(one, descriptor, size_bytes)

    def _fill(self, one: Wanted, descriptor: int, size_bytes: int) -> None:
        file = Incoming(one.part, descriptor)
        digest = _digest_of(descriptor)
        have = os.lseek(descriptor, 0, os.SEEK_END)
        if have > size_bytes:
            one.part.unlink()
            raise base.damaged(one.kept)
        for piece in self.bucket.pieces(one.name, have, size_bytes - have):
            digest.update(piece)
            file.write(piece)
        if one.is_pack:
            _name_pack(one, descriptor)
            return
        if digest.hexdigest() != one.kept.sha256:
            one.part.unlink()
            raise base.damaged(one.kept)
        received = Received(sha256=one.kept.sha256, size_bytes=size_bytes)
        Singles(one.folder).keep(received, file)

    def _sizes(self, wanted: Iterable[Kept]) -> dict[str, tuple[Wanted, int]]:
        """Give each object once, with its size; of a pack only the bucket knows that."""
        found: dict[str, tuple[Wanted, int]] = {}
        for kept in wanted:
            one = Wanted(self.near, kept)
            if one.name not in found:
                size_bytes = self._pack_bytes(one) if one.is_pack else kept.size_bytes
                found[one.name] = (one, size_bytes)
        return found

    def _pack_bytes(self, one: Wanted) -> int:
        if near := _size_of(one.path):
            return near
        size_bytes = self.bucket.size_bytes(one.name)
        if size_bytes is None:
            raise base.damaged(one.kept)
        return size_bytes

    def _removable(self) -> Iterator[tuple[float, int, Path]]:
        """Give what lies near, with when it was used last (seconds since 1970) and its size."""
        for pattern in ("[0-9]*/[0-9a-f][0-9a-f]/*", f"[0-9]*/{packs.PACKS}/*"):
            for path in self.near.home.glob(pattern):
                with suppress(FileNotFoundError):
                    found = path.stat()
                    yield max(found.st_atime, found.st_mtime), found.st_size, path


@contextmanager
def _alone(part: Path) -> Iterator[int]:
    """Open a file to append to, alone; one that was finished meanwhile is made anew."""
    part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if incoming.is_still(part, descriptor):
            break
        os.close(descriptor)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _dropped(part: Path, *, before: float) -> bool:
    """Remove it under its lock: who waits for that looks whether it is still there."""
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_old = os.fstat(descriptor).st_mtime < before
        if is_old:
            part.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    else:
        return is_old
    finally:
        os.close(descriptor)


def _digest_of(descriptor: int) -> "hashlib._Hash":
    digest = hashlib.sha256()
    os.lseek(descriptor, 0, os.SEEK_SET)
    while piece := os.read(descriptor, CHUNK_BYTES):
        digest.update(piece)
    return digest


def _name_pack(one: Wanted, descriptor: int) -> None:
    os.fchmod(descriptor, copies.READ_ONLY)
    os.fsync(descriptor)
    one.path.parent.mkdir(exist_ok=True)
    one.part.replace(one.path)


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0

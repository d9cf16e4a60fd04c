"""A large file that comes in parts: each written to its place, the whole hashed at the end."""

import fcntl
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from fabriek.hub import refusals
from fabriek.hub.links import Upload
from fabriek.kernel.errors import Invalid, Refused
from fabriek.store import actions as store
from fabriek.store import inflow
from fabriek.store.incoming import filling, refused_when_full, require_room
from fabriek.store.models import Blob
from fabriek.store.singles import hashed, other_bytes

# Beside the organisations' own folders; the store's sweep takes what was left here for a day.
FOLDER = "uploads/incoming"
PART_BYTES = 256 * 2**20
# An answer names a link for each part of each file: with more of them, parts are larger.
LINKS_MAX = 2000
# Below this a broken upload is sooner begun again than put together from parts.
WORTH_PARTS_BYTES = 5 * 2**30


def size_for(sizes_bytes: Collection[int]) -> int:
    """Give how large the parts of files of these sizes are, asked for together."""
    part_bytes = PART_BYTES
    while sum(count(size, part_bytes) for size in sizes_bytes) > LINKS_MAX:
        part_bytes *= 2
    return part_bytes


def count(size_bytes: int, part_bytes: int) -> int:
    return -(-size_bytes // part_bytes)


def write(upload: Upload, number: int, body: Any) -> str:  # noqa: ANN401  what has `read`
    """Put part `number` (from 1) in its place; give a mark of it. Safe to repeat.

    Raises: Unreadable, StorageFull; Refused, when the file is being put together.
    """
    first = (number - 1) * upload.part_bytes
    left = min(upload.part_bytes, upload.size_bytes - first)
    if number < 1 or left <= 0:
        raise refusals.unreadable()
    with _shared(upload) as descriptor, refused_when_full():
        got = inflow.pour(_no_more_of(body, left), descriptor, (), at=first)
    if got < left:
        raise refusals.cut()
    return f"{upload.key}-{number}"


def _no_more_of(body: Any, left_bytes: int) -> inflow.ReadInto:  # noqa: ANN401
    """Let a body that says nothing of its length not run into the next part."""
    readinto = filling(body)

    def within(target: memoryview) -> int:
        nonlocal left_bytes
        got = readinto(target[:left_bytes])
        left_bytes -= got
        return got

    return within


def put_together(upload: Upload) -> Blob:
    """Hash the whole and give it its name in the store: no second copy, no second room.

    Raises: Invalid, when it is not what was announced; Refused, when parts still come in.
    """
    path = _path(upload)
    try:
        descriptor = _opened(path)
    except FileNotFoundError as error:
        raise refusals.unreadable() from error
    try:
        _lock(descriptor, fcntl.LOCK_EX)
        blob = _taken_in(upload, path, descriptor)
    except Invalid:
        path.unlink(missing_ok=True)  # all parts are there, and it is something else
        raise
    else:
        path.unlink(missing_ok=True)
        return blob
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_NOFOLLOW)  # to lock alone, NFS wants this
    except PermissionError:  # taken in, and then something stopped us: begin that again
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)


def _taken_in(upload: Upload, path: Path, descriptor: int) -> Blob:
    """Take in the file itself, under the lock that keeps every writer away from it."""
    with os.fdopen(os.dup(descriptor), "rb") as whole:
        received = hashed(whole)
    if received.sha256 != upload.oid:
        raise other_bytes(received.sha256)
    return store.adopt(upload.repository, path, by=upload.person, known=received)


@contextmanager
def _shared(upload: Upload) -> Iterator[int]:
    path = _path(upload)
    with refused_when_full():
        require_room(path.parent, upload.size_bytes if not path.exists() else 0)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except PermissionError as error:
            raise _busy() from error
    try:
        _lock(descriptor, fcntl.LOCK_SH)
        _require_open(path, descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def _require_open(path: Path, descriptor: int) -> None:
    """Refuse who opened it before it was taken in: what they hold lies in the store now."""
    held = os.fstat(descriptor)
    there = path.stat() if path.exists() else None
    if there is None or there.st_ino != held.st_ino or not held.st_mode & stat.S_IWUSR:
        raise _busy()


def _lock(descriptor: int, how: int) -> None:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _busy() from error


def _busy() -> Refused:
    return Refused(
        _("Parts of this file are still on their way. Try again in a moment."), code="busy"
    )


def _path(upload: Upload) -> Path:
    return Path(settings.STORE_HOME) / FOLDER / upload.key

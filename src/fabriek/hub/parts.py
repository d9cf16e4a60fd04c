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

from fabriek.agreements import blind
from fabriek.hub import refusals
from fabriek.hub.links import Upload
from fabriek.kernel.errors import Invalid, Refused
from fabriek.store import actions as store
from fabriek.store import inflow
from fabriek.store.incoming import (
    Room,
    filling,
    is_still,
    refused_when_full,
    require_room,
)
from fabriek.store.singles import hashed, other_bytes

# Beside the organisations' own folders; the store's sweep takes what was left here for a day.
FOLDER = "uploads/incoming"
PART_BYTES = 256 * 2**20
# An answer names a link for each part of each file: with more of them, parts are larger.
LINKS_MAX = 2000
# Below this a broken upload is sooner begun again than put together from parts.
WORTH_PARTS_BYTES = 5 * 2**30
HERE = b"1"


class Busy(Refused):
    code = "busy"


class Missing(Invalid):
    code = "part_missing"


def size_for(sizes_bytes: Collection[int]) -> int:
    """Give how large the parts of files of these sizes are, asked for together."""
    part_bytes = PART_BYTES
    while sum(count(size, part_bytes) for size in sizes_bytes) > LINKS_MAX:
        part_bytes *= 2
    return part_bytes


def count(size_bytes: int, part_bytes: int) -> int:
    return -(-size_bytes // part_bytes)


def length(upload: Upload, number: int) -> int:
    """Say how many bytes part `number` (from 1) has. Raises: Invalid, where there is none."""
    if not 1 <= number <= count(upload.size_bytes, upload.part_bytes):
        raise _no_such_part()
    first = (number - 1) * upload.part_bytes
    return min(upload.part_bytes, upload.size_bytes - first)


def write(upload: Upload, number: int, body: Any) -> str:  # noqa: ANN401  what has `read`
    """Put part `number` in its place; give a mark of it. Safe to repeat.

    Raises: Invalid, Unreadable, StorageFull; Refused, when the file is being put together.
    """
    wanted = length(upload, number)
    first = (number - 1) * upload.part_bytes
    with _shared(upload, wanted) as descriptor, refused_when_full():
        within = _no_more_of(body, wanted, Room(_path(upload).parent))
        got = inflow.pour(within, descriptor, (), at=first)
        if got < wanted:
            raise refusals.cut()
        _note(upload, number)
    return f"{upload.key}-{number}"


def _no_more_of(body: Any, left_bytes: int, room: Room) -> inflow.ReadInto:  # noqa: ANN401
    """Let a body that says nothing of its length not run into the next part."""
    readinto = filling(body)

    def within(target: memoryview) -> int:
        nonlocal left_bytes
        if not left_bytes and readinto(memoryview(bytearray(1))):
            raise _longer()
        got = readinto(target[:left_bytes])
        left_bytes -= got
        room.require_for(got)
        return got

    return within


def put_together(upload: Upload) -> None:
    """Hash the whole and give it its name in the store: no second copy, no second room.

    Done before is done, also by another at this moment; what is here anyway is let go.

    Raises: Invalid, when a part is missing, or it is not what was announced; Refused, when
    parts still come in.
    """
    try:
        with _alone(upload) as descriptor:
            if _is_wanted(upload):
                _require_all(upload)
                _take_in(upload, descriptor)
            _let_go(upload)
    except (Missing, Busy):
        if _is_wanted(upload):
            raise


def _is_wanted(upload: Upload) -> bool:
    return bool(blind.missing(upload.repository, [upload.oid], by=upload.person))


def _take_in(upload: Upload, descriptor: int) -> None:
    """Take in the file itself, under the lock that keeps every writer away from it."""
    with os.fdopen(os.dup(descriptor), "rb") as whole:
        received = hashed(whole)
    if received.sha256 != upload.oid:
        _let_go(upload)  # all parts are there, and it is something else
        raise other_bytes(received.sha256)
    store.adopt(upload.repository, _path(upload), by=upload.person, known=received)


@contextmanager
def _alone(upload: Upload) -> Iterator[int]:
    """Keep every writer away. Raises: Missing, where there is no part; Busy."""
    path = _path(upload)
    try:
        descriptor = _opened(path)
    except FileNotFoundError as error:
        raise _missing(1) from error
    try:
        _lock(descriptor, fcntl.LOCK_EX)
        if not is_still(path, descriptor):
            raise _missing(1)  # of two at once the other put it together since
        yield descriptor
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_NOFOLLOW)  # to lock alone, NFS wants this
    except PermissionError:  # taken in, and then something stopped us: begin that again
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)


def _let_go(upload: Upload) -> None:
    _marks(upload).unlink(missing_ok=True)
    _path(upload).unlink(missing_ok=True)


# --- which parts are here ----------------------------------------------------------------
def _note(upload: Upload, number: int) -> None:
    """Note that a part is here, beside the file: of it alone a hole of zeros is no hole."""
    marks = os.open(_marks(upload), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        os.pwrite(marks, HERE, number - 1)
    finally:
        os.close(marks)


def _require_all(upload: Upload) -> None:
    """Refuse before the first byte is read: who sends one byte far behind costs no hashing.

    Raises: Missing.
    """
    marks = _marks(upload).read_bytes() if _marks(upload).is_file() else b""
    wanted = HERE * count(upload.size_bytes, upload.part_bytes)
    if marks != wanted:
        raise _missing(next(n for n in range(len(wanted)) if marks[n : n + 1] != HERE) + 1)


@contextmanager
def _shared(upload: Upload, part_bytes: int) -> Iterator[int]:
    path = _path(upload)
    with refused_when_full():
        require_room(path.parent, part_bytes if path.exists() else upload.size_bytes)
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
    if not is_still(path, descriptor) or not os.fstat(descriptor).st_mode & stat.S_IWUSR:
        raise _busy()


def _lock(descriptor: int, how: int) -> None:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _busy() from error


def _path(upload: Upload) -> Path:
    return Path(settings.STORE_HOME) / FOLDER / upload.key


def _marks(upload: Upload) -> Path:
    """Name a byte for each part that is here; without a suffix, so that it is swept alike."""
    path = _path(upload)
    return path.with_name(f"parts-of-{path.name}")


# --- what is said ------------------------------------------------------------------------
def _busy() -> Busy:
    return Busy(_("Parts of this file are still on their way. Try again in a moment."))


def _missing(number: int) -> Missing:
    return Missing(
        _("Part %(number)s of this file is not here. Send it, then end the upload again.")
        % {"number": number}
    )


def _no_such_part() -> Invalid:
    return Invalid(
        _("This file has no part of that number. Start the upload again."), code="no_such_part"
    )


def _longer() -> Invalid:
    return Invalid(
        _("More came than this part has, so it does not count. Send it again."),
        code="other_size",
    )

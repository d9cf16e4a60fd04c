"""Read what a job left in its folder, where it may have put anything in the way.

A job, and other jobs of its case, may swap a file for a link to somebody's secrets while we
look. So each part of a path is opened below the folder that was opened before it, no link is
followed, and what was opened is looked at once more: a plain file, with one name only (else it
may be a hard link to ours), of the job's account, or of us and for everybody to read: what we
lay out is, our key and database are not. A folder that nobody was let into holds only what our
own account made, which could read the rest itself: there one may share, unless the run has an
account. Its folder then lost its list, for instance on the way back from a backup.
"""

import errno
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from itertools import count
from pathlib import Path, PurePosixPath

from fabriek.kernel import acl

FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
DEEPEST = 16  # no model or checkpoint is; without an end a reader would run out of room
# What open(2) says of a link in the way.
LINK = {errno.ELOOP, errno.ENOTDIR}
NOBODY = -1
# Disks that compress keep words in a tenth of their size; what is less is mostly holes.
HOLLOW = 20
TOO_SMALL_TO_MATTER_BYTES = 2**20
BLOCK_BYTES = 512  # of which stat(2) counts


class Untrusted(OSError):
    """It is no plain file of the job's own."""


class TooMany(OSError):
    """There are more names than anybody would look through."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A folder of ours in which a job worked, and the account that a job of it has, if any."""

    folder: Path
    account: str = ""


@contextmanager
def opened(within: Place, name: str | PurePosixPath) -> Iterator[BufferedReader]:
    """Open the file `name` below a folder of ours.

    Raises:
        Untrusted: a link is in the way, it is a pipe, has other names, or is somebody else's.
        OSError: it is not there, or may not be read.
    """
    path = PurePosixPath(name)
    with descended(within, path.parent) as (place, account):
        found = _open(path.name, FILE, place)
        try:
            _check(os.fstat(found), account, path)
        except Untrusted:
            os.close(found)
            raise
    with os.fdopen(found, "rb") as file:
        yield file


@contextmanager
def descended(within: Place, below: str | PurePosixPath) -> Iterator[tuple[int, int | None]]:
    """Open the folder `below` ours; give it, and whose files may lie there besides ours.

    Raises: Untrusted, OSError.
    """
    place = os.open(within.folder, FOLDER)
    try:
        account = acl.admitted(place)
        if account is None and within.account:
            account = _uid(within.account)
        for part in PurePosixPath(below).parts:
            inner = _open(part, FOLDER | os.O_NOFOLLOW, place)
            os.close(place)
            place = inner
        yield place, account
    finally:
        os.close(place)


def names_below(
    within: Place, below: str | PurePosixPath, *, at_most: int
) -> Iterator[PurePosixPath]:
    """Name all that lies in `below` and is no folder, links too, relative to `below`.

    Raises:
        Untrusted: also when it is too deep.
        TooMany: there are more than `at_most`, folders too. No more than that are read.
        OSError: it is not there, or may not be read.
    """
    with descended(within, below) as (place, _account):
        yield from _names(place, PurePosixPath(), at_most=at_most, counted=count(1))


def size_bytes(within: Place, name: str) -> int:
    """Give the size of a file, 0 for what cannot be opened."""
    try:
        with opened(within, name) as file:
            return os.fstat(file.fileno()).st_size
    except OSError:
        return 0


def is_hollow(descriptor: int) -> bool:
    """Tell whether a file is mostly holes, which cost its maker nothing and a copy a disk."""
    if not _has_few_blocks(descriptor):
        return False
    os.fsync(descriptor)  # some disks (ZFS) count blocks only once they are written
    return _has_few_blocks(descriptor)


def _has_few_blocks(descriptor: int) -> bool:
    found = os.fstat(descriptor)
    kept_bytes = found.st_blocks * BLOCK_BYTES
    return found.st_size > TOO_SMALL_TO_MATTER_BYTES and kept_bytes * HOLLOW < found.st_size


def _uid(account: str) -> int:
    try:
        return pwd.getpwnam(account).pw_uid
    except KeyError:
        return NOBODY


def _names(
    place: int, at: PurePosixPath, *, at_most: int, counted: "count[int]"
) -> Iterator[PurePosixPath]:
    if len(at.parts) > DEEPEST:
        raise Untrusted(f"{at} is too deep")
    found = []
    with os.scandir(place) as entries:
        for entry in entries:
            if next(counted) > at_most:
                raise TooMany(f"more than {at_most} names in {at}")
            found.append((entry.name, entry.is_dir(follow_symlinks=False)))
    for name, is_folder in sorted(found):
        if not is_folder:
            yield at / name
            continue
        inner = _open(name, FOLDER | os.O_NOFOLLOW, place)
        try:
            yield from _names(inner, at / name, at_most=at_most, counted=counted)
        finally:
            os.close(inner)


def _open(name: str, how: int, place: int) -> int:
    try:
        return os.open(name, how, dir_fd=place)
    except OSError as error:
        if error.errno in LINK:
            raise Untrusted(error.errno, "a link is in the way", name) from error
        raise


def _check(found: os.stat_result, account: int | None, path: PurePosixPath) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Untrusted(f"{path} is no plain file")
    if account is None:
        return
    shown_by_us = found.st_uid == os.geteuid() and found.st_mode & stat.S_IROTH
    if found.st_nlink != 1 or not (found.st_uid == account or shown_by_us):
        raise Untrusted(f"{path} is not the job's own, or has other names")

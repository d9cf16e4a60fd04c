"""Read what a job left in its folder, where it may have put anything in the way.

A job, and other jobs of its case, may swap a file for a link to somebody's secrets while we
look. So each part of a path is opened below the folder that was opened before it, no link is
followed, and what was opened is looked at once more: a plain file, with one name only (else it
may be a hard link to ours), of the job's account or of us. A folder that nobody was let into
holds only what our own account made, which could read the rest itself: there one may share.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path, PurePosixPath

from fabriek.kernel import acl

FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
DEEPEST = 16  # no model or checkpoint is; without an end a reader would run out of room
# What open(2) says of a link in the way.
LINK = {errno.ELOOP, errno.ENOTDIR}


class Untrusted(OSError):
    """It is no plain file of the job's own."""


@contextmanager
def opened(folder: Path, name: str | PurePosixPath) -> Iterator[BufferedReader]:
    """Open the file `name` below `folder`, which is ours.

    Raises:
        Untrusted: a link is in the way, it is a pipe, has other names, or is somebody else's.
        OSError: it is not there, or may not be read.
    """
    path = PurePosixPath(name)
    with descended(folder, path.parent) as (place, account):
        found = _open(path.name, FILE, place)
        try:
            _check(os.fstat(found), account, path)
        except Untrusted:
            os.close(found)
            raise
    with os.fdopen(found, "rb") as file:
        yield file


@contextmanager
def descended(folder: Path, below: str | PurePosixPath) -> Iterator[tuple[int, int | None]]:
    """Open the folder `below` ours; give it, and the account that was let in.

    Raises: Untrusted, OSError.
    """
    place = os.open(folder, FOLDER)
    try:
        account = acl.admitted(place)
        for part in PurePosixPath(below).parts:
            inner = _open(part, FOLDER | os.O_NOFOLLOW, place)
            os.close(place)
            place = inner
        yield place, account
    finally:
        os.close(place)


def names_below(folder: Path, below: str | PurePosixPath) -> Iterator[PurePosixPath]:
    """Name all that lies in `below` and is no folder, links too, relative to `below`.

    Raises: Untrusted, also when it is too deep; OSError.
    """
    with descended(folder, below) as (place, _account):
        yield from _names(place, PurePosixPath())


def size_bytes(folder: Path, name: str) -> int:
    """Give the size of a file, 0 for what cannot be opened."""
    try:
        with opened(folder, name) as file:
            return os.fstat(file.fileno()).st_size
    except OSError:
        return 0


def _names(place: int, at: PurePosixPath) -> Iterator[PurePosixPath]:
    if len(at.parts) > DEEPEST:
        raise Untrusted(f"{at} is too deep")
    with os.scandir(place) as entries:
        found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    for name, is_folder in found:
        if not is_folder:
            yield at / name
            continue
        inner = _open(name, FOLDER | os.O_NOFOLLOW, place)
        try:
            yield from _names(inner, at / name)
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
    if found.st_nlink != 1 or found.st_uid not in {account, os.geteuid()}:
        raise Untrusted(f"{path} is not the job's own, or has other names")

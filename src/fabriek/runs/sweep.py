"""Remove what a job left in its folder, also where it put links in the way.

Every part of a path is opened below the one before it, and no link is followed: a link goes,
and not what it points at, even when it is swapped in while we look. A folder of any depth costs
few open files, as what lies deep is first moved up.
"""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from fabriek.kernel.strange import DEEPEST, FOLDER, LINK

# Each goes DEEPEST levels down: what is deeper than all of them is left for the next time.
ROUNDS = 1_000
OWNER_ALL = 0o700
READ_BY_ALL = 0o644  # else `strange` would not read it back


class Unreached(OSError):
    """The folder itself cannot be opened: nothing may be concluded of what lies in it."""


def names(folder: Path, below: str = ".") -> list[str]:
    """Name what lies in `below`, each with the path to it; a link in its place is itself.

    Raises: Unreached, OSError.
    """
    try:
        with (
            _parent(folder, below) as (place, last),
            _entered(place, last) as inner,
            os.scandir(inner) as entries,
        ):
            return [(PurePosixPath(below) / one.name).as_posix() for one in entries]
    except FileNotFoundError:
        return []
    except OSError as error:
        if error.errno in LINK:
            return [below]
        raise


def lies(folder: Path, name: str) -> bool:
    """Tell whether anything is there. Raises: Unreached, OSError, when that cannot be told."""
    try:
        with _parent(folder, name) as (place, last):
            os.lstat(last, dir_fd=place)
    except FileNotFoundError:
        return False
    return True


def is_file(folder: Path, name: str) -> bool:
    """Tell whether it is a plain file, and no link or folder. Raises: Unreached, OSError."""
    with _parent(folder, name) as (place, last):
        return stat.S_ISREG(os.lstat(last, dir_fd=place).st_mode)


def counted(folder: Path, name: str) -> tuple[int, int]:
    """Count files and their bytes, as far as we may look. Raises: Unreached."""
    try:
        with _parent(folder, name) as (place, last):
            found = os.lstat(last, dir_fd=place)
            if not stat.S_ISDIR(found.st_mode):
                return 1, found.st_size
            return _count(place, last, DEEPEST)
    except Unreached:
        raise
    except OSError:
        return 0, 0


def remove(folder: Path, name: str) -> None:
    """Remove what lies there; nothing there is as good.

    Raises: Unreached; OSError, when something is left.
    """
    with suppress(FileNotFoundError), _parent(folder, name) as (place, last):
        _take(place, last)


def replace(folder: Path, name: str, content: bytes) -> None:
    """Put a file in the place of another, whole. Raises: OSError."""
    with _parent(folder, name) as (place, last):
        if last != PurePosixPath(name).name:
            raise OSError(errno.ELOOP, "a link is in the way", name)
        part = f".{last}.{secrets.token_hex(8)}.part"
        how = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(part, how, 0o644, dir_fd=place), "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), READ_BY_ALL)
            os.fsync(file.fileno())
        os.replace(part, last, src_dir_fd=place, dst_dir_fd=place)


@contextmanager
def _parent(folder: Path, name: str) -> Iterator[tuple[int, str]]:
    """Open the folder in which `name` lies; a link in the way is what is meant then."""
    try:
        place = os.open(folder, FOLDER)
    except OSError as error:
        raise Unreached(error.errno, "the folder cannot be reached", str(folder)) from error
    try:
        *parts, last = PurePosixPath(name).parts or (".",)
        for part in parts:
            try:
                inner = _opened(place, part)
            except OSError as error:
                if error.errno not in LINK:
                    raise
                last = part
                break
            os.close(place)
            place = inner
        yield place, last
    finally:
        os.close(place)


@contextmanager
def _entered(place: int, name: str) -> Iterator[int]:
    inner = _opened(place, name)
    try:
        yield inner
    finally:
        os.close(inner)


def _opened(place: int, name: str) -> int:
    """Open a folder; one of our own account that is closed to us is opened up first."""
    seen = os.open(
        name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place
    )
    try:
        found = os.fstat(seen)
        closed = found.st_mode & OWNER_ALL != OWNER_ALL
        if closed and found.st_uid == os.geteuid():
            # By the handle, as a path could be swapped.
            Path(f"/proc/self/fd/{seen}").chmod(stat.S_IMODE(found.st_mode) | OWNER_ALL)
        return os.open(".", FOLDER, dir_fd=seen)
    finally:
        os.close(seen)


def _take(place: int, name: str) -> None:
    try:
        with _entered(place, name) as inner:
            _empty(inner)
    except OSError as error:
        if error.errno not in LINK:
            raise
        os.unlink(name, dir_fd=place)
        return
    os.rmdir(name, dir_fd=place)


def _empty(top: int) -> None:
    for _round in range(ROUNDS):
        _sweep(top, top, DEEPEST)
        if not os.listdir(top):
            return
    raise OSError(errno.ENOTEMPTY, "more is added, or it is deeper, than one pass removes")


def _sweep(place: int, top: int, levels: int) -> None:
    """Remove what lies here; folders too far down are moved to the top for the next round."""
    for name in os.listdir(place):
        with suppress(FileNotFoundError):  # another loop was quicker
            try:
                os.unlink(name, dir_fd=place)
            except IsADirectoryError:
                _sweep_folder(name, place, top, levels)


def _sweep_folder(name: str, place: int, top: int, levels: int) -> None:
    if not levels:
        aside = f".{secrets.token_hex(8)}"
        os.rename(name, aside, src_dir_fd=place, dst_dir_fd=top)
        return
    try:
        with _entered(place, name) as inner:
            _sweep(inner, top, levels - 1)
        os.rmdir(name, dir_fd=place)
    except OSError as error:
        # Something was put there, or in its place, meanwhile: the next round sees it.
        if error.errno not in {*LINK, errno.ENOTEMPTY}:
            raise


def _count(place: int, name: str, levels: int) -> tuple[int, int]:
    files = size_bytes = 0
    with suppress(OSError), _entered(place, name) as inner, os.scandir(inner) as entries:
        for one in entries:
            more = (1, one.stat(follow_symlinks=False).st_size)
            if one.is_dir(follow_symlinks=False):
                more = _count(inner, one.name, levels - 1) if levels else (0, 0)
            files, size_bytes = files + more[0], size_bytes + more[1]
    return files, size_bytes

"""Give bytes a second name without copying them, where the file system can."""

import errno
import fcntl
import os
import shutil
import stat
import uuid
from pathlib import Path

# For everybody, as a run reads the very file as an account of its own. Who may come near is
# said by the folders above: the store's is ours alone, a run's its account's too.
READ_ONLY = 0o444
FICLONE = 0x40049409  # linux/fs.h: share the blocks of one file with another
# The answers of a file system that cannot: another disk, no such call, too many, not ours.
CANNOT = {
    errno.EXDEV,
    errno.EOPNOTSUPP,
    errno.ENOTTY,
    errno.ENOSYS,
    errno.EINVAL,
    errno.EPERM,
    errno.EACCES,
    errno.EMLINK,
    errno.EBADF,
}


def place(source: Path, target: Path) -> None:
    """Put the bytes of `source` at `target`, read-only and whole or not at all.

    A reflink comes first: what is done to it later never reaches the store. Then a hard link;
    then a copy. Safe to repeat.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.parent / f".{uuid.uuid4().hex}"
    try:
        if not cloned(source, part) and not linked(source, part):
            shutil.copyfile(source, part)
        # Also what lay in the store before it was so.
        if stat.S_IMODE(part.stat().st_mode) != READ_ONLY:
            part.chmod(READ_ONLY)
        part.replace(target)
    finally:
        # Renaming one name of a file to another name of the same file leaves both.
        part.unlink(missing_ok=True)


def cloned(source: Path, target: Path) -> bool:
    """Share the blocks (Btrfs, XFS); False where the file system does not know how."""
    with source.open("rb") as there, target.open("xb") as here:
        if clone_into(here.fileno(), there.fileno()):
            return True
    target.unlink()
    return False


def clone_into(target: int, source: int) -> bool:
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError as error:
        if error.errno in CANNOT:
            return False
        raise
    return True


def linked(source: Path, target: Path) -> bool:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno in CANNOT:
            return False
        raise
    return True

"""Small files behind each other in one: making such a pack, reading in it, giving room back.

    <organisation>/packs/<key>    mode 0444, written once; later only holes are made in it

What lies in a pack is small, so it is compared each time it is given out, at a tenth of what
reading it costs. That is also what keeps a reader safe who looked up a place a moment before a
sweep made it a hole: he is told, and never given zeros. Who reads holds a shared lock on the
file; a hole is made under the other lock.
"""

import ctypes
import errno
import fcntl
import io
import os
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from blake3 import blake3

from fabriek.store import base, copies, incoming
from fabriek.store.base import Kept
from fabriek.store.direct import Direct

PACKS = "packs"
KEY = re.compile(r"[0-9a-f]{32}")
# linux/falloc.h: make a hole, and leave the size as it is.
PUNCH = 0x02 | 0x01
CANNOT_PUNCH = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM, errno.EACCES}


def path_of(folder: Path, key: str) -> Path:
    if not KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no key of a pack")
    return folder / PACKS / key


def keep(folder: Path, pieces: Iterable[bytes]) -> str:
    """Write a pack of an organisation's `folder`; see `base.Store.keep_pack`."""
    with incoming.temporary(folder / incoming.FOLDER) as file:
        with Direct(file.descriptor) as out:
            for piece in pieces:
                out.write(piece)
            out.end()
        if not out.written:
            return ""
        key = uuid.uuid4().hex
        os.fchmod(file.descriptor, copies.READ_ONLY)
        os.utime(file.descriptor)  # it may have come in for days: the sweep goes by its end
        os.fsync(file.descriptor)
        target = path_of(folder, key)
        if not target.parent.is_dir():
            target.parent.mkdir(exist_ok=True)
            incoming.flush_folder(folder)
        file.path.rename(target)
        incoming.flush_folder(target.parent)
    return key


@contextmanager
def reading(path: Path) -> Iterator[int]:
    """Open a pack; no hole is made in it meanwhile. Raises: Damaged."""
    descriptor = _opened(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise base.damaged() from error
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def compared(descriptor: int, kept: Kept) -> bytes:
    """Read one file out of an open pack. Raises: Damaged, when it is not what was kept."""
    content = os.pread(descriptor, kept.size_bytes, kept.pack_offset)
    if not _is(content, kept):
        raise base.damaged(kept)
    return content


def _is(content: bytes, kept: Kept) -> bool:
    if len(content) != kept.size_bytes:
        return False
    if kept.blake3:
        return bool(blake3(content).hexdigest() == kept.blake3)
    return sha256(content).hexdigest() == kept.sha256


class Packed(io.BytesIO):
    """One file out of a pack, in memory; the kernel may send it from the pack itself.

    `fileno` is the pack's, set to where this reader stands. Nobody may send more from there
    than is left of this file: what lies behind is another one.
    """

    def __init__(self, path: Path, kept: Kept) -> None:
        self._descriptor = _opened(path)
        self._offset = kept.pack_offset
        try:
            super().__init__(compared(self._descriptor, kept))
        except BaseException:
            self.close()  # not again when it is forgotten: the number may be another file's
            raise

    def fileno(self) -> int:
        os.lseek(self._descriptor, self._offset + self.tell(), os.SEEK_SET)
        return self._descriptor

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()

    def __del__(self) -> None:
        with suppress(AttributeError, ValueError, OSError):
            self.close()


def lay_out(path: Path, wanted: Iterable[tuple[Kept, Path]]) -> None:
    """Write files out of one pack, in the order in which they lie there.

    Raises: Damaged, OSError. Each file is whole or absent.
    """
    with reading(path) as descriptor:
        for kept, target in sorted(wanted, key=_offset):
            _write_out(compared(descriptor, kept), target)


def _offset(pair: tuple[Kept, Path]) -> int:
    return pair[0].pack_offset


def _write_out(content: bytes, target: Path) -> None:
    part = f"{target.parent}/.{uuid.uuid4().hex}"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, copies.READ_ONLY)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fchmod(descriptor, copies.READ_ONLY)
        os.rename(part, target)  # noqa: PTH104  for twenty thousand files a Path is dear
    except BaseException:
        os.unlink(part)  # noqa: PTH108
        raise
    finally:
        os.close(descriptor)


def release(path: Path, named: Sequence[tuple[int, int]]) -> bool:
    """Make holes of all that is not `named`; see `base.Store.release`."""
    try:
        path.chmod(0o600)
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in CANNOT_PUNCH | {errno.ENOENT}:
            return False
        raise
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return all(_punched(descriptor, *hole) for hole in _gaps(descriptor, named))
    except BlockingIOError:
        return False
    finally:
        os.fchmod(descriptor, copies.READ_ONLY)
        os.close(descriptor)


def _gaps(descriptor: int, named: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    at = 0
    for offset, size_bytes in [*sorted(named), (os.fstat(descriptor).st_size, 0)]:
        if offset > at:
            yield at, offset - at
        at = max(at, offset + size_bytes)


def _punched(descriptor: int, offset: int, size_bytes: int) -> bool:
    """Zero a part and give its whole blocks back. False where the file system cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    off_t = ctypes.c_longlong
    if libc.fallocate64(descriptor, PUNCH, off_t(offset), off_t(size_bytes)) == 0:
        return True
    number = ctypes.get_errno()
    if number in CANNOT_PUNCH:
        return False
    raise OSError(number, os.strerror(number))

"""What lies packed in files that were sent: the SHA-256 of each, as far as a short look goes.

To pack data does not make it other data. Looked into are zip, tar, gzip, bzip2 and xz, by what
a file begins with and not by its name; not packs within packs, but for a tar in one of the last
three.
"""

import bz2
import gzip
import hashlib
import io
import lzma
import re
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import IO, BinaryIO, Protocol

# Of each commit, so that nobody waits for a hundred gigabytes that unpack from a few bytes.
MOST_BYTES = 256 * 2**20
MOST_SECONDS = 60
MOST_MEMBERS = 10_000
# The list of what is in a zip is held in memory whole: a longer one is not read at all.
MOST_LISTED_BYTES = 4 * 2**20
PIECE_BYTES = 2**20
TAR_BLOCK = tarfile.BLOCKSIZE
TAR_MARK_AT, TAR_MARK = 257, b"ustar"
HEAD_BYTES = TAR_MARK_AT + len(TAR_MARK)
TAR_MORE = frozenset({tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE})
TAR_MORE_BYTES = 64 * 2**10
TAR_SIZE = re.compile(rb"(?:^|\n)\d{1,3} size=(\d{1,18})\n")
TAR_EMPTY = frozenset(
    {
        tarfile.LNKTYPE,
        tarfile.SYMTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.DIRTYPE,
        tarfile.FIFOTYPE,
    }
)
BROKEN = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    MemoryError,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
Opened = Callable[[], BinaryIO]


class Spent(Exception):
    """No more may be unpacked."""


class Budget:
    """How many bytes may still be unpacked, and until when."""

    def __init__(self) -> None:
        self.left = MOST_BYTES
        self.until = time.monotonic() + MOST_SECONDS

    def spend(self, count: int) -> None:
        """Take off what was unpacked. Raises: Spent."""
        self.left -= count
        if self.left < 0 or time.monotonic() > self.until:
            raise Spent


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Counted:
    """What is read from a pack, on the budget and summed up."""

    def __init__(self, file: Readable, budget: Budget) -> None:
        self.file, self.budget = file, budget
        self.found = hashlib.sha256()

    def read(self, most: int = PIECE_BYTES) -> bytes:
        piece = self.file.read(min(most, PIECE_BYTES))
        self.budget.spend(len(piece))
        self.found.update(piece)
        return piece

    def pieces(self, count: int) -> Iterator[bytes]:
        """Give the next so many bytes. Raises: EOFError."""
        while count:
            piece = self.read(count)
            if not piece:
                raise EOFError
            count -= len(piece)
            yield piece

    def skip(self, count: int) -> None:
        for _piece in self.pieces(count):
            pass

    def sha256(self) -> str:
        while self.read():
            pass
        return self.found.hexdigest()


def sha256s(opened: Opened, budget: Budget) -> Iterator[str]:
    """Give the SHA-256 of what is packed in a file; nothing of what is no pack, or broken.

    `opened` opens it anew each time. What does not fit in `budget` is left out.
    """
    with opened() as file:
        head = file.read(HEAD_BYTES)
    try:
        for begin, unpack in KINDS:
            if head.startswith(begin):
                yield from _safely(unpack, opened, budget)
        if head[TAR_MARK_AT:] == TAR_MARK:
            yield from _safely(_tar, opened, budget)
    except Spent:
        return


def _safely(
    unpack: Callable[[BinaryIO, Budget], Iterator[str]], opened: Opened, budget: Budget
) -> Iterator[str]:
    try:
        with opened() as file:
            yield from unpack(file, budget)
    except BROKEN:
        return


# --- zip ---------------------------------------------------------------------------------
class _Narrow(io.RawIOBase):
    """A file of which nobody reads much at once: `zipfile` reads its whole list."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = MOST_LISTED_BYTES + 1 if size is None or size < 0 else size
        if size and size > MOST_LISTED_BYTES:
            raise zipfile.BadZipFile
        return self.file.read(wanted)


def _zip(file: BinaryIO, budget: Budget) -> Iterator[str]:
    with zipfile.ZipFile(_Narrow(file)) as pack:
        for info in pack.infolist()[:MOST_MEMBERS]:
            budget.spend(0)
            try:
                with pack.open(info) as member:
                    found = _Counted(member, budget).sha256()
            except BROKEN:  # an odd one must not hide those behind it
                continue
            yield found


# --- what is one stream ------------------------------------------------------------------
def _gzip(file: BinaryIO, budget: Budget) -> Iterator[str]:
    with gzip.open(file) as whole:
        yield from _whole(whole, budget)


def _bzip2(file: BinaryIO, budget: Budget) -> Iterator[str]:
    with bz2.open(file) as whole:
        yield from _whole(whole, budget)


def _xz(file: BinaryIO, budget: Budget) -> Iterator[str]:
    with lzma.open(file) as whole:
        yield from _whole(whole, budget)


def _tar(file: BinaryIO, budget: Budget) -> Iterator[str]:
    yield from islice(_members(_Counted(file, budget)), MOST_MEMBERS)


def _whole(file: IO[bytes] | gzip.GzipFile, budget: Budget) -> Iterator[str]:
    """Give what is in the tar that this may be, then what it is as a whole."""
    whole = _Counted(file, budget)
    with suppress(tarfile.TarError, EOFError, ValueError):  # most are no tar
        yield from islice(_members(whole), MOST_MEMBERS)
    yield whole.sha256()


def _members(whole: _Counted) -> Iterator[str]:
    """Walk through a tar; `tarfile` would read headers of any length into memory.

    Raises: TarError at its end, or where it is none; EOFError where it is cut.
    """
    told: int | None = None
    while True:
        info = tarfile.TarInfo.frombuf(_block(whole), "utf-8", "surrogateescape")
        size = max(0, info.size if told is None else told)
        told = None
        if info.type in TAR_EMPTY:
            continue
        if info.isreg():
            found = hashlib.sha256()
            for piece in whole.pieces(size):
                found.update(piece)
            yield found.hexdigest()
        else:
            more = b"".join(whole.pieces(min(size, TAR_MORE_BYTES)))
            told = _size_in(more) if info.type in TAR_MORE else told
            whole.skip(size - len(more))
        whole.skip(-size % TAR_BLOCK)


def _block(whole: _Counted) -> bytes:
    return b"".join(whole.pieces(TAR_BLOCK))


def _size_in(more: bytes) -> int | None:
    """Read how long the next member is, where a header of its own says so."""
    said = TAR_SIZE.search(more)
    return int(said[1]) if said else None


KINDS: tuple[tuple[bytes, Callable[[BinaryIO, Budget], Iterator[str]]], ...] = (
    (b"PK\x03\x04", _zip),
    (b"\x1f\x8b", _gzip),
    (b"BZh", _bzip2),
    (b"\xfd7zXZ\x00", _xz),
)

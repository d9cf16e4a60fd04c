"""The files in a .zip or .tar.gz that somebody sent: plain files only, counted as they come.

Everything in it comes from strangers. Nothing is written to disk here: each file goes from the
archive into the store, under a name that the store's own rules allow.
"""

import gzip
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from django.utils.translation import gettext as _

from fabriek.datasets import tar_stream
from fabriek.kernel.errors import Invalid, TooLarge
from fabriek.store.many import Entry
from fabriek.store.paths import shortened

FILES_MAX = 5_000
# Far more than so many names take; what a zip says of its files lies in memory whole.
LISTED_BYTES_MAX = 4 * 2**20
PIECE_BYTES = 2**20
ZIP, GZIP = (b"PK\x03\x04", b"PK\x05\x06"), b"\x1f\x8b"
TAR_MARK_AT, TAR_MARK = 257, b"ustar"
PACKED_HOW = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
ENCRYPTED = 0x1
# What tools leave beside code, and which nobody means to send.
LEFT_OUT = frozenset({".git", "__pycache__", "__MACOSX", ".DS_Store", ".venv", "node_modules"})
BROKEN = (OSError, EOFError, ValueError, NotImplementedError, zlib.error, zipfile.BadZipFile)
TAR_OVERHEAD_BYTES = 3 * 512  # of each file: its header, one for a long name, and the rest


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How much somebody may send at once, unpacked."""

    size_bytes: int
    files: int = FILES_MAX


def entries(file: BinaryIO, limits: Limits) -> Iterator[Entry]:
    """Give each file, once and in order, as `store_many` reads them.

    Raises:
        Invalid: it is no such archive or a broken one, or holds what is no plain file.
        TooLarge: more files, or more bytes, than somebody may send.
    """
    head = file.read(TAR_MARK_AT + len(TAR_MARK))
    file.seek(0)
    if head.startswith(ZIP):
        found = _of_zip(file, limits)
    elif head.startswith(GZIP):
        found = _of_tar(_AtMost(file, limits))
    elif head[TAR_MARK_AT:] == TAR_MARK:
        found = _of_tar(file)
    else:
        raise _no_archive()
    yield from _counted(_wanted(found), limits)


def top_folder(names: Iterable[str]) -> str:
    """Name the one folder in which all lies, as in what GitHub packs; empty where none is."""
    tops = {name.partition("/")[0] if "/" in name else "" for name in names}
    return f"{tops.pop()}/" if len(tops) == 1 and "" not in tops else ""


# --- zip ---------------------------------------------------------------------------------
class _Narrow:
    """A file of which nobody reads much at once: `zipfile` reads its whole list."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if size > LISTED_BYTES_MAX:
            raise too_many_files(FILES_MAX)
        return self._file.read(LISTED_BYTES_MAX if size < 0 else size)


def _of_zip(file: BinaryIO, limits: Limits) -> Iterator[Entry]:
    try:
        pack = zipfile.ZipFile(_Narrow(file))
    except BROKEN as why:
        raise _no_archive() from why
    with pack:
        infos = [info for info in pack.infolist() if not info.is_dir()]
        if len(infos) > 2 * limits.files:
            raise too_many_files(limits.files)
        for info in infos:
            _require_plain(info)
            yield Entry(info.filename, info.file_size, _content(pack, info))


def _require_plain(info: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in {0, stat.S_IFREG}:
        raise _no_plain_file(info.filename)
    if info.flag_bits & ENCRYPTED or info.compress_type not in PACKED_HOW:
        raise Invalid(
            _("“%(path)s” is locked or packed in an unusual way. Make the .zip without that.")
            % {"path": shortened(info.filename)},
            code="odd_zip",
        )


def _content(pack: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        with pack.open(info) as member:
            while piece := member.read(PIECE_BYTES):
                yield piece
    except BROKEN as why:
        raise _no_archive() from why


# --- tar ---------------------------------------------------------------------------------
class _AtMost:
    """What comes out of a packed stream, and no more of it than the files may be."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._stream = gzip.GzipFile(fileobj=file, mode="rb")
        self._limits = limits
        self._left = limits.size_bytes + limits.files * TAR_OVERHEAD_BYTES

    def read(self, size: int = PIECE_BYTES, /) -> bytes:
        try:
            piece = self._stream.read(min(size, PIECE_BYTES))
        except BROKEN as why:
            raise _no_archive() from why
        self._left -= len(piece)
        if self._left < 0:
            raise too_large(self._limits.size_bytes)
        return piece


def _of_tar(stream: "BinaryIO | _AtMost") -> Iterator[Entry]:
    try:
        for found in tar_stream.files(stream):
            yield Entry(found.path, found.size_bytes, found.content)
    except Invalid as refusal:
        if refusal.code not in {"no_tar", "cut"}:
            raise
        raise _no_archive() from refusal


# --- both --------------------------------------------------------------------------------
def _wanted(found: Iterator[Entry]) -> Iterator[Entry]:
    for entry in found:
        if LEFT_OUT.isdisjoint(entry.path.split("/")):
            yield entry


def _counted(found: Iterator[Entry], limits: Limits) -> Iterator[Entry]:
    """Stop at the first too many; sizes are as announced, which the store holds them to."""
    left = limits.size_bytes
    for entry in islice(found, limits.files):
        left -= max(entry.size_bytes, 0)
        if left < 0:
            raise too_large(limits.size_bytes)
        yield entry
    if next(found, None):
        raise too_many_files(limits.files)


def too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(
        _(
            "This is more than %(most)d MB, the most that can be sent as code. Data goes into "
            "a dataset: fabriek data push. Leave out what your program does not read."
        )
        % {"most": limit_bytes // 2**20},
        code="too_much_code",
    )


def too_many_files(most: int) -> TooLarge:
    return TooLarge(
        _(
            "These are more than %(most)d files, the most that can be sent as code. Leave out "
            "what your program does not read, such as installed packages."
        )
        % {"most": most},
        code="too_many_files",
    )


def _no_plain_file(path: str) -> Invalid:
    return Invalid(
        _("“%(path)s” is a link or a device. Only files can be sent: send that itself.")
        % {"path": shortened(path)},
        code="no_plain_file",
    )


def _no_archive() -> Invalid:
    return Invalid(
        _("This is no .zip or .tar.gz, or a broken one. Pack the folder again, and send it."),
        code="no_archive",
    )

"""Many files in one stream, as `tar` writes them: read once, front to back, plain files only.

Our own reader of the format, as everything in it comes from strangers: it follows no link,
makes no device, believes no size it did not count, and takes a tenth of the general one's time.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from django.utils.translation import gettext as _

from fabriek import tar_header
from fabriek.kernel.errors import Invalid
from fabriek.store.incoming import Readable
from fabriek.store.paths import shortened

BLOCK = 512
PIECE_BYTES = 2**20
# A header of names that go beyond what the old format can carry.
LONG_NAME_BYTES = 2**16
FILE, OLD_FILE, FOLDER, LONG_NAME, PAX, PAX_FOR_ALL = b"0", b"\0", b"5", b"L", b"x", b"g"
NAMING = {LONG_NAME, PAX, PAX_FOR_ALL}
NUMBER_BEGINS = 0o200  # the first byte of a size that is written in base 256
MAX_SIZE_BYTES = 2**50
MOST_DIGITS = 20


class InTar(NamedTuple):
    """One file; its `content` is read before the next is asked for."""

    path: str
    size_bytes: int
    content: Iterable[bytes]


class ToWrite(Protocol):
    """A file on its way out."""

    @property
    def path(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...


def files(stream: Readable) -> Iterator[InTar]:
    """Give each plain file; folders are passed over, as paths say them already.

    Raises: Invalid, at a link, a device, a hollow file, or a stream that is no tar or is cut.
    """
    source = _Stream(stream)
    named: dict[str, str] = {}
    while header := source.header():
        kind = header[156:157]
        size_bytes = _number(header[124:136])
        if kind in NAMING:
            if size_bytes > LONG_NAME_BYTES:
                raise _unreadable()
            said = source.exactly(size_bytes)
            named |= _names(kind, said)
        else:
            path = _name(header, named)
            size_bytes = _size(size_bytes, named)
            named = {}
            if kind == FOLDER:
                continue
            if kind not in {FILE, OLD_FILE}:
                raise _no_plain_file(path)
            content = _Content(source, size_bytes)
            yield InTar(path, size_bytes, content.whole_or_pieces())
            content.pass_over()
        source.to_next_block(size_bytes)


def written(found: ToWrite) -> bytes:
    return tar_header.of(found.path, found.size_bytes)


def padding(size_bytes: int) -> bytes:
    return bytes(-size_bytes % BLOCK)


def end() -> bytes:
    return bytes(2 * BLOCK)


class _Stream:
    """What comes in, a large piece at a time; given out in whatever sizes are asked for.

    Where the stream can, it fills the same memory each time: the bytes are copied once.
    """

    def __init__(self, stream: Readable) -> None:
        self.stream = stream
        self.fill = getattr(stream, "readinto", None)
        self.held = memoryview(bytearray(PIECE_BYTES) if self.fill else b"")
        self.at = self.end = 0

    def some(self, most: int) -> bytes:
        if self.at == self.end:
            self._refill()
        start, self.at = self.at, min(self.at + most, self.end)
        return bytes(self.held[start : self.at])

    def _refill(self) -> None:
        if self.fill:
            self.at, self.end = 0, self.fill(self.held)
        else:
            self.held = memoryview(self.stream.read(PIECE_BYTES))
            self.at, self.end = 0, len(self.held)

    def exactly(self, size_bytes: int) -> bytes:
        given = self.some(size_bytes) if size_bytes else b""
        if len(given) == size_bytes:
            return given
        pieces = [given]
        left = size_bytes - len(given)
        while left and (piece := self.some(left)):
            pieces.append(piece)
            left -= len(piece)
        if left:
            raise _cut()
        return b"".join(pieces)

    def header(self) -> bytes | None:
        """Give the next header; nothing at the end, which is an empty one."""
        header = self.exactly(BLOCK)
        if not header.strip(b"\0"):
            return None
        unsigned = sum(header[:148]) + 8 * 0x20 + sum(header[156:])
        if _number(header[148:156]) != unsigned:
            raise _unreadable()
        return header

    def to_next_block(self, size_bytes: int) -> None:
        self.exactly(-size_bytes % BLOCK)


class _Content:
    def __init__(self, source: _Stream, size_bytes: int) -> None:
        self.source = source
        self.left = size_bytes

    def whole_or_pieces(self) -> Iterable[bytes]:
        if self.left > PIECE_BYTES:
            return self._pieces()
        whole = self.source.exactly(self.left)
        self.left = 0
        return (whole,)

    def _pieces(self) -> Iterator[bytes]:
        while self.left:
            piece = self.source.some(min(self.left, PIECE_BYTES))
            if not piece:
                raise _cut()
            self.left -= len(piece)
            yield piece

    def pass_over(self) -> None:
        """Leave what nobody read."""
        for _piece in self._pieces():
            pass


def _number(field: bytes) -> int:
    """Read a number, in octal signs or as bytes. Raises: Invalid."""
    if field[0] == NUMBER_BEGINS:
        return min(int.from_bytes(field[1:]), MAX_SIZE_BYTES)
    said = field.split(b"\0", 1)[0].strip() or b"0"
    # Python also reads a minus and underscores, which would be a size below nothing.
    if said.translate(None, b"01234567"):
        raise _unreadable()
    return int(said, 8)


def _names(kind: bytes, said: bytes) -> dict[str, str]:
    """Read what a header beside the file's own says: its name, its size."""
    if kind == PAX_FOR_ALL:
        return {}
    if kind == LONG_NAME:
        return {"path": _text(said.rstrip(b"\0"))}
    found: dict[str, str] = {}
    while said:
        length = said.split(b" ", 1)[0]
        if not _is_short_number(length) or not len(length) < int(length) <= len(said):
            raise _unreadable()
        record, said = said[len(length) + 1 : int(length)], said[int(length) :]
        name, is_there, value = record.rstrip(b"\n").partition(b"=")
        if not is_there:
            raise _unreadable()
        if name.startswith(b"GNU.sparse"):
            raise _no_plain_file(found.get("path", "?"))
        if name in {b"path", b"size"}:
            found[name.decode()] = _text(value)
    return found


def _name(header: bytes, named: dict[str, str]) -> str:
    """Give the path; `tar` itself writes ./ before the names of a folder it was given."""
    if "path" in named:
        return named["path"].removeprefix("./")
    name = header[:100].split(b"\0", 1)[0]
    if header[257:263] == b"ustar\0":
        front = header[345:500].split(b"\0", 1)[0]
        name = front + b"/" + name if front else name
    return _text(name).removeprefix("./")


def _size(size_bytes: int, named: dict[str, str]) -> int:
    said = named.get("size")
    if said is None:
        return size_bytes
    if not _is_short_number(said.encode()) or int(said) > MAX_SIZE_BYTES:
        raise _unreadable()
    return int(said)


def _is_short_number(said: bytes) -> bool:
    """Whether it can be read at all: Python refuses thousands of digits, zeros too."""
    return said.isdigit() and len(said) <= MOST_DIGITS


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise Invalid(
            _("The name “%(name)s” is not written in UTF-8. Rename the file.")
            % {"name": shortened(name.decode(errors="replace"))},
            code="path",
        ) from error


def _no_plain_file(path: str) -> Invalid:
    return Invalid(
        _(
            "“%(path)s” is no plain file but a link, a device or the like. Send the files "
            "themselves: tar can follow links with -h."
        )
        % {"path": shortened(path)},
        code="no_plain_file",
    )


def _unreadable() -> Invalid:
    return Invalid(
        _("This is no tar, or a damaged one. Send an uncompressed tar, as “tar cf” makes."),
        code="no_tar",
    )


def _cut() -> Invalid:
    return Invalid(
        _("The stream of files ended too early. What had arrived is kept for a day; go on."),
        code="cut",
    )

"""The bytes of a text file, seen once from end to end: encoding, odd signs, lines too long.

What DuckDB would stumble over is written anew beside it, line for line, so that the number of
a line stays what people see in their editor.
"""

import codecs
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from fabriek.quality.worker.job import Trouble
from fabriek_recipes.csv_writing import UTF16, WINDOWS

CHUNK_BYTES = 2**23
LOOKED_AT_BYTES = 2**20  # stays in the cache of the processor while it is looked at
LINE_BYTES = 2**24  # a longer line is left out, and said to be
MOST_PLACES = 20
# Text packs at most some tens of times; a bomb a thousand.
MOST_TIMES_LARGER = 200
Piece = Callable[[int, bytes], None]
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


@dataclass(kw_only=True, slots=True)
class Places:
    """How often something is there, and the first lines where."""

    count: int = 0
    rows: list[int] = field(default_factory=list)

    def add(self, line: int) -> None:
        self.count += 1
        if len(self.rows) < MOST_PLACES:
            self.rows.append(line)


@dataclass(kw_only=True, slots=True)
class Scan:
    """`at` is what is to be read on: the file itself, or a clean copy."""

    at: Path
    encoding: str = "utf-8"
    odd: Places = field(default_factory=Places)  # bytes that are no UTF-8 in a file that is
    zeros: Places = field(default_factory=Places)
    long: Places = field(default_factory=Places)
    blank: Places = field(default_factory=Places)
    lines: int = 0


def unpacked(at: Path, folder: Path, *, most_bytes: int) -> Path:
    """Unpack gzip or zstd, up to what text can be; other files are given as they are."""
    with at.open("rb") as packed:
        head = packed.read(4)
    if head != ZSTD and not head.startswith(GZIP):
        return at
    target = folder / f"{at.name}.unpacked"
    most = min(most_bytes, max(2**20, at.stat().st_size * MOST_TIMES_LARGER))
    written = 0
    try:
        with _opened(at, head) as source, target.open("wb") as out:
            while chunk := source.read(CHUNK_BYTES):
                written += len(chunk)
                if written > most:
                    target.unlink()
                    raise Trouble("bomb")
                out.write(chunk)
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise Trouble("broken_gzip") from None
    return target


def _opened(at: Path, head: bytes) -> Any:  # noqa: ANN401  a stream of a package without types
    if head.startswith(GZIP):
        return gzip.open(at)
    # Python itself reads zstd from 3.14 on; the library of tables does today.
    arrow = import_module("pyarrow")
    return arrow.CompressedInputStream(arrow.OSFile(str(at)), "zstd")


def scan(
    at: Path,
    folder: Path,
    *,
    blank_counts: bool,
    unread: Piece | None = None,
    is_rows: bool = True,
) -> Scan:
    """Read all bytes; write a clean copy only where one is needed.

    `blank_counts`: an empty line is a row that is missing (JSONL), not nothing (CSV).
    `is_rows`: a line is a row, and none too long; a list in JSON may be one line.
    `unread`: is given the number and, piece by piece, the bytes of lines that are too long.
    """
    with at.open("rb", buffering=0) as file:
        start = file.read(4) or b""
        file.seek(0)
        encoding = UTF16.get(start[:2], "")
        if not encoding and _is_clean(file, blank_counts=blank_counts, is_rows=is_rows):
            return Scan(at=at)
    if encoding:
        at = _from_utf16(at, folder, encoding)
    found = Scan(at=folder / f"{at.name}.clean", encoding=encoding or "utf-8")
    with at.open("rb") as file, found.at.open("wb") as out:
        for line in _lines(file, found, unread):
            found.lines += 1
            out.write(_cleaned(line, found, blank_counts=blank_counts))
    if not encoding and found.odd.count * 2 > found.lines:
        found.encoding = WINDOWS
    return found


def _is_clean(file: io.FileIO, *, blank_counts: bool, is_rows: bool) -> bool:
    """Tell whether it is UTF-8 without anything odd, at the speed of memory."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    since_end, last = 0, b"\n"
    for chunk in _chunks(file):
        if b"\0" in chunk or not _is_utf8(decoder, chunk):
            return False
        if blank_counts and _has_blank(last, chunk):
            return False
        since_end = _longest(chunk, since_end)
        if is_rows and since_end > LINE_BYTES:
            return False
        last = bytes(chunk[-2:])
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _chunks(file: io.FileIO) -> Iterator[bytearray]:
    """Give all bytes through one place in memory: what was given is gone at the next."""
    room = bytearray(LOOKED_AT_BYTES)
    while read := file.readinto(room):
        yield room if read == len(room) else room[:read]


def _is_utf8(decoder: codecs.IncrementalDecoder, chunk: bytearray) -> bool:
    if chunk.isascii() and decoder.getstate()[0] == b"":
        return True
    try:
        decoder.decode(chunk)
    except UnicodeDecodeError:
        return False
    return True


def _has_blank(last: bytes, chunk: bytearray) -> bool:
    joined = last + chunk[:2]
    return any(
        two in chunk or two in joined for two in (b"\n\n", b"\n\r\n", b"\n \n", b"\n\t\n")
    ) or (last == b"\n" and chunk[:1] in b"\r\n")


def _longest(chunk: bytearray, since_end: int) -> int:
    """Give what the longest line has come to; a chunk is shorter than what a line may be."""
    first = chunk.find(b"\n")
    if first < 0:
        return since_end + len(chunk)
    if since_end + first > LINE_BYTES:
        return since_end + first
    return len(chunk) - chunk.rfind(b"\n") - 1


def _lines(file: BinaryIO, found: Scan, unread: Piece | None) -> Iterator[bytes | None]:
    """Give line by line; None for one that is too long to be held."""
    tell: Piece = unread or (lambda _line, _piece: None)
    while line := file.readline(LINE_BYTES + 1):
        if len(line) <= LINE_BYTES or line.endswith(b"\n"):
            yield line
            continue
        tell(found.lines + 1, line)
        while rest := file.readline(LINE_BYTES):
            tell(found.lines + 1, rest)
            if rest.endswith(b"\n"):
                break
        yield None


def _cleaned(line: bytes | None, found: Scan, *, blank_counts: bool) -> bytes:
    number = found.lines
    instead = b"{}\n" if blank_counts else b"\n"
    if line is None:
        found.long.add(number)
        return instead
    if b"\0" in line:
        found.zeros.add(number)
        line = line.replace(b"\0", b"")
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        found.odd.add(number)
        line = line.decode("utf-8", "cp1252_for_odd").encode()
    if blank_counts and not line.strip():
        found.blank.add(number)
        return instead
    return line


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    """Read bytes that are no UTF-8 as what they nearly always are: Windows-1252."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    odd = error.object[error.start : error.end]
    return odd.decode(WINDOWS, "replace"), error.end


codecs.register_error("cp1252_for_odd", _as_cp1252)


def _from_utf16(at: Path, folder: Path, encoding: str) -> Path:
    target = folder / f"{at.name}.utf8"
    decode: Callable[[bytes], str] = codecs.getincrementaldecoder(encoding)("replace").decode
    with at.open("rb") as file, target.open("wb") as out:
        file.seek(2)
        while chunk := file.read(CHUNK_BYTES):
            out.write(decode(chunk).encode("utf-8", "replace"))
    return target

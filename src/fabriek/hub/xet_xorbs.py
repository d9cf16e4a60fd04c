"""Reading a xorb: up to 64 MiB of chunks, each with a header and packed in one of three ways.

    header  version u8 = 0 | packed bytes u24 | scheme u8 | unpacked bytes u24   (little-endian)

One chunk is held at a time, so that a xorb of any size costs the server no more than that.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import lz4.frame
from django.utils.translation import gettext as _

from fabriek.hub import xet_hashes
from fabriek.kernel.errors import Invalid, TooLarge

HEADER_BYTES = 8
VERSION = 0
PLAIN, LZ4, GROUPED_LZ4 = 0, 1, 2
GROUP = 4
CHUNK_BYTES_MAX = 128 * 2**10
# What does not shrink is sent plain, so that a packed chunk is never much longer.
PACKED_BYTES_MAX = CHUNK_BYTES_MAX + 2**10
CHUNKS_MAX = 8192
# Clients put 64 MiB of a file into a xorb at most; what does not shrink grows by its headers.
FILLED_BYTES = 64 * 2**20
XORB_BYTES_MAX = FILLED_BYTES + 2**20
# LZ4 could make 16 GiB of as much.
UNPACKED_BYTES_MAX = 2 * FILLED_BYTES
# Some clients write an index of their own behind the chunks; it tells nothing new.
FOOTER = b"XETBLOB"


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What a xorb turned out to hold: its name, and how long each chunk is (bytes)."""

    name: str
    lengths: tuple[int, ...]


class Unpacking:
    """Gives the chunks of a xorb one by one; `contents` is known when all were taken."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._chunks: list[tuple[bytes, int]] = []
        self._packed_bytes = 0
        self._unpacked_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        """Raise: Invalid, TooLarge."""
        while header := _read(self._source, HEADER_BYTES):
            if header == FOOTER + bytes([1]):
                self._skip_footer()
                break
            chunk = self._chunk(header)
            self._chunks.append((xet_hashes.chunk_hash(chunk), len(chunk)))
            yield chunk
        if not self._chunks:
            raise broken()

    @property
    def contents(self) -> Contents:
        return Contents(
            name=xet_hashes.spelled(xet_hashes.xorb_hash(self._chunks)),
            lengths=tuple(length for _digest, length in self._chunks),
        )

    def _chunk(self, header: bytes) -> bytes:
        if len(header) < HEADER_BYTES or header[0] != VERSION:
            raise broken()
        packed_bytes = int.from_bytes(header[1:4], "little")
        length = int.from_bytes(header[5:8], "little")
        if not 0 < packed_bytes <= PACKED_BYTES_MAX or not 0 < length <= CHUNK_BYTES_MAX:
            raise broken()
        self._count(HEADER_BYTES + packed_bytes, length)
        packed = _read(self._source, packed_bytes)
        if len(packed) < packed_bytes:
            raise broken()
        return _unpacked(packed, scheme=header[4], length=length)

    def _count(self, packed_bytes: int, unpacked_bytes: int) -> None:
        self._packed_bytes += packed_bytes
        self._unpacked_bytes += unpacked_bytes
        if (
            self._packed_bytes > XORB_BYTES_MAX
            or self._unpacked_bytes > UNPACKED_BYTES_MAX
            or len(self._chunks) >= CHUNKS_MAX
        ):
            raise too_much()

    def _skip_footer(self) -> None:
        left = XORB_BYTES_MAX - self._packed_bytes
        while left > 0 and (skipped := self._source.read(min(left, CHUNK_BYTES_MAX))):
            left -= len(skipped)


def _unpacked(packed: bytes, *, scheme: int, length: int) -> bytes:
    if scheme == PLAIN:
        chunk = packed
    elif scheme == LZ4:
        chunk = _lz4(packed, length)
    elif scheme == GROUPED_LZ4:
        chunk = _ungrouped(_lz4(packed, length))
    else:
        raise broken()
    if len(chunk) != length:
        raise broken()
    return chunk


def _lz4(packed: bytes, length: int) -> bytes:
    """Unpack no more than was announced: a frame may say that it holds gigabytes."""
    reader = lz4.frame.LZ4FrameDecompressor()
    try:
        chunk: bytes = reader.decompress(packed, max_length=length)
    except (RuntimeError, EOFError) as error:
        raise broken() from error
    if not reader.eof and reader.decompress(b"", max_length=1):
        raise broken()
    return chunk


def _ungrouped(grouped: bytes) -> bytes:
    """Undo a sort by place: all first bytes of each four, then all second, and so on."""
    whole, rest = divmod(len(grouped), GROUP)
    chunk = bytearray(len(grouped))
    start = 0
    for place in range(GROUP):
        end = start + whole + (place < rest)
        chunk[place::GROUP] = grouped[start:end]
        start = end
    return bytes(chunk)


def _read(source: Readable, size: int) -> bytes:
    """Read all of it: a request gives what has arrived, which may be less."""
    found = source.read(size)
    while len(found) < size and (more := source.read(size - len(found))):
        found += more
    return found


def broken() -> Invalid:
    return Invalid(
        _(
            "What was sent is no xorb: its chunks cannot be read. Nothing was kept. Send it "
            "again, or update the program that you send with."
        ),
        code="broken_xorb",
    )


def too_much() -> TooLarge:
    return TooLarge(
        _(
            "A xorb holds at most 64 MiB in 8,192 chunks, and this one holds more. Nothing was "
            "kept. Update the program that you send with."
        )
    )

"""Reading a shard: what each file consists of, as ranges of chunks in xorbs.

    header    tag of 32 bytes | version u64 = 2 | footer bytes u64
    a file    hash of 32 bytes | flags u32 | segments u32 | u64
      segment   xorb of 32 bytes | flags u32 | bytes u32 | first chunk u32 | end chunk u32
      check     48 bytes for each segment, when flag 31 stands
      SHA-256   32 bytes and 16 more, when flag 30 stands
    the end   32 times 0xFF and 16 bytes, in the place of a file

What follows describes the xorbs, which we know better. A shard lies in a file and is read in
passes, a block at a time: one of 64 MiB could name more than a million segments.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from django.utils.translation import gettext as _

from fabriek.hub import xet_hashes
from fabriek.kernel.errors import Invalid

# What every shard begins with.
TAG = b"HFRepoMetaData\0" + bytes.fromhex("556967456a7b815783a5bdd95ccdd14aa9")
HEADER = struct.Struct("<32sQQ")
FILE = struct.Struct("<32sIIQ")
SEGMENT = struct.Struct("<32sIIII")
ENTRY_BYTES = 48
VERSION = 2
END = b"\xff" * 32
WITH_CHECKS, WITH_SHA256 = 1 << 31, 1 << 30
SHARD_BYTES_MAX = 64 * 2**20
AT_ONCE = 4096  # segments


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """Chunks `first` up to `end` of a xorb, which are so many bytes together."""

    xorb: str
    first: int
    end: int
    size_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FileInfo:
    """One file; `at` is where its segments begin in the shard. `sha256` may be empty."""

    at: int
    segments: int
    sha256: str


def files(shard: BinaryIO) -> Iterator[FileInfo]:
    """Name the files of a shard, in its order. Raises: Invalid."""
    shard.seek(0)
    tag, version, _footer = HEADER.unpack(_read(shard, HEADER.size))
    if version != VERSION or tag != TAG:
        raise broken()
    while True:
        digest, flags, segments, _unused = FILE.unpack(_read(shard, FILE.size))
        if digest == END:
            return
        at = shard.tell()
        checks = segments if flags & WITH_CHECKS else 0
        after = at + ENTRY_BYTES * (segments + checks)
        shard.seek(after)
        sha256 = ""
        if flags & WITH_SHA256:
            sha256 = xet_hashes.spelled(_read(shard, ENTRY_BYTES)[: xet_hashes.HASH_BYTES])
            after += ENTRY_BYTES
        yield FileInfo(at=at, segments=segments, sha256=sha256)
        shard.seek(after)


def segments(shard: BinaryIO, file: FileInfo) -> Iterator[Segment]:
    """Give what one file consists of, in its order. Raises: Invalid."""
    at, left = file.at, file.segments
    while left:
        some = min(left, AT_ONCE)
        shard.seek(at)
        block = _read(shard, some * SEGMENT.size)
        for xorb, _flags, size_bytes, first, end in SEGMENT.iter_unpack(block):
            if not first < end or not size_bytes:
                raise broken()
            name = xet_hashes.spelled(xorb)
            yield Segment(xorb=name, first=first, end=end, size_bytes=size_bytes)
        at, left = at + len(block), left - some


def _read(shard: BinaryIO, size: int) -> bytes:
    found = shard.read(size)
    if len(found) < size:
        raise broken()
    return found


def broken() -> Invalid:
    return Invalid(
        _(
            "What was sent is no list of files as the Xet protocol has it, or it was cut off. "
            "Nothing was kept. Send it again, or update the program that you send with."
        ),
        code="broken_shard",
    )

"""How large a picture is, by its first bytes: nothing is decoded, and no library is needed."""

import struct
from collections.abc import Callable

JPEG_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}

Size = tuple[str, int, int]


def read(head: bytes) -> Size | None:
    """Give format, width and height; None for what is broken or unknown."""
    for start, reader in READERS:
        if head.startswith(start):
            try:
                found = reader(head)
            except (struct.error, IndexError):
                return None
            return found if found and min(found[1:]) > 0 else None
    return None


def _png(head: bytes) -> Size | None:
    if head[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", head[16:24])
    return "PNG", width, height


def _gif(head: bytes) -> Size | None:
    width, height = struct.unpack("<HH", head[6:10])
    return "GIF", width, height


def _bmp(head: bytes) -> Size | None:
    width, height = struct.unpack("<ii", head[18:26])
    return "BMP", width, abs(height)


def _jpeg(head: bytes) -> Size | None:
    at = 2
    while at + 9 < len(head):
        if head[at] != 0xFF:  # noqa: PLR2004
            return None
        marker = head[at + 1]
        (length,) = struct.unpack(">H", head[at + 2 : at + 4])
        if marker in JPEG_SIZES:
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return "JPEG", width, height
        at += 2 + max(2, length)
    return None


def _webp(head: bytes) -> Size | None:
    kind = head[12:16]
    if head[8:12] != b"WEBP":
        return None
    if kind == b"VP8X":
        width = int.from_bytes(head[24:27], "little") + 1
        return "WEBP", width, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return "WEBP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack("<HH", head[26:30])
    return "WEBP", width & 0x3FFF, height & 0x3FFF


READERS: tuple[tuple[bytes, Callable[[bytes], Size | None]], ...] = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8\xff", _jpeg),
    (b"GIF8", _gif),
    (b"BM", _bmp),
    (b"RIFF", _webp),
)

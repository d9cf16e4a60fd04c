"""How a CSV is written: in which letters, and the line that tells Excel the delimiter.

The preview on a page, the look at data and the recipes all know it from here.
"""

from __future__ import annotations

import codecs
import re
from typing import BinaryIO, Protocol

WINDOWS = "cp1252"  # what is no UTF-8 nearly always is what Excel writes without asking
UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
# “sep=;” is no row; programs that write every cell in quotes put this in quotes too.
EXCELS_LINE = re.compile(r'\ufeff?"?sep=([\t !#-/:-@\[-`{-~])?"?\s*', re.IGNORECASE)
EXCELS_BYTES = 32  # longer than any such line
CHUNK_BYTES = 2**16


class HasLines(Protocol):
    """A file of bytes that is read line by line."""

    def readline(self, size: int = -1, /) -> bytes: ...


def excels_delimiter(first: str) -> str | None:
    """Give what a first line tells Excel: a sign, "" for none; None where it is a row."""
    told = EXCELS_LINE.fullmatch(first)
    return None if told is None else told[1] or ""


def decoded(head: bytes, *, is_cut: bool = False) -> str:
    """Read the beginning of a file. `is_cut`: a sign may be cut in half at its end."""
    if head[:2] in UTF16:
        return head.decode("utf-16", "replace")
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(head, final=not is_cut)
    except UnicodeDecodeError:
        return head.decode(WINDOWS, "replace")


class Letters:
    """Reads lines in UTF-8, or in Windows' own letters if the first that tells is in these.

    Both in one file is a file that went wrong somewhere: its letters cannot be trusted.
    """

    def __init__(self) -> None:
        self._encoding = ""

    def read(self, line: bytes) -> str:
        """Give its letters. Raises: UnicodeDecodeError."""
        if line.isascii():
            return line.decode("ascii")
        try:
            encoding, text = "utf-8", line.decode("utf-8")
        except UnicodeDecodeError:
            encoding, text = WINDOWS, line.decode(WINDOWS)
        self._encoding = self._encoding or encoding
        if encoding != self._encoding:
            raise UnicodeDecodeError(self._encoding, line, 0, len(line), "other letters")
        return text


def in_utf8(file: BinaryIO) -> HasLines:
    """Give a file whose lines can be told by their bytes: one in UTF-16 is written anew."""
    start = file.tell()
    encoding = UTF16.get(file.read(2), "")
    if encoding:
        return _FromUtf16(file, encoding)
    file.seek(start)
    return file


class _FromUtf16:
    """Lines in UTF-8 of what stands in UTF-16; no more of it is held than a line."""

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        self._file = file
        self._decode = codecs.getincrementaldecoder(encoding)("replace").decode
        self._held = bytearray()

    def readline(self, size: int = -1, /) -> bytes:
        """Give the next line, or of a longer one `size` bytes."""
        sought = 0
        while (at := self._held.find(b"\n", sought)) < 0 and not 0 <= size <= len(self._held):
            sought = len(self._held)
            chunk = self._file.read(CHUNK_BYTES)
            self._held += self._decode(chunk, final=not chunk).encode("utf-8", "replace")
            if not chunk:
                break
        end = at + 1 or len(self._held)
        end = min(end, size) if size >= 0 else end
        line = bytes(self._held[:end])
        del self._held[:end]
        return line

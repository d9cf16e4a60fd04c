"""From which commit an archive comes, as `git archive` writes it into what it packs.

It is the word of who sent it, as all that is said of a commit. As `git get-tar-commit-id` reads
it: a comment in the first header of a tar; and of a zip its own comment.
"""

import gzip
import re
import zlib
from contextlib import suppress
from typing import BinaryIO

BLOCK = 512
OF_ALL, KIND_AT = b"g", 156
COMMENT = re.compile(rb"^\d{2} comment=([0-9a-f]{40}(?:[0-9a-f]{24})?)\n")
ZIP_END = re.compile(rb"PK\x05\x06.{16}[\x28\x40]\x00([0-9a-f]{40}(?:[0-9a-f]{24})?)\Z", re.S)
ZIP_END_BYTES = 22 + 64


def commit_of(file: BinaryIO) -> str:
    """Give the commit, and the file as it was; nothing where it names none."""
    try:
        head = file.read(2 * BLOCK)
        if head.startswith(b"PK"):
            file.seek(-min(ZIP_END_BYTES, file.seek(0, 2)), 2)
            found = ZIP_END.search(file.read())
        else:
            file.seek(0)
            found = _in_tar(_unpacked(file) if head.startswith(b"\x1f\x8b") else head)
        return found[1].decode() if found else ""
    finally:
        file.seek(0)


def _unpacked(file: BinaryIO) -> bytes:
    with suppress(OSError, EOFError, zlib.error):
        return gzip.GzipFile(fileobj=file, mode="rb").read(2 * BLOCK)
    return b""


def _in_tar(head: bytes) -> re.Match[bytes] | None:
    is_told = head[KIND_AT : KIND_AT + 1] == OF_ALL
    return COMMENT.search(head[BLOCK:]) if is_told else None

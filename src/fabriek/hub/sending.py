"""Bytes on their way out: by the kernel where it can, in parts where that is asked."""

import mimetypes
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from fabriek.hub import refusals
from fabriek.store import proving
from fabriek.store.models import Blob
from fabriek.store.queries import the_store

PIECE_BYTES = 2**20
# One part only: a list of many would be answered with many copies of the same bytes.
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `first` up to but without `end`."""

    first: int
    end: int


class Bytes(StreamingHttpResponse):
    """A part of an open file.

    The web server takes `file_to_stream` where it knows how, and lets the kernel send from
    where that stands, as many bytes as `Content-Length` says.
    """

    block_size = PIECE_BYTES

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        super().__init__(_pieces(file, size_bytes))
        self._resource_closers.append(file.close)  # type: ignore[attr-defined]  # Django's own
        self.file_to_stream = _Sent(file, size_bytes)
        self.headers["Content-Length"] = str(size_bytes)


class _Sent:
    """What a web server needs of a file, and no byte beyond the part that was asked."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self.file = file
        self.left = size_bytes
        self.close = file.close
        if _has_number(file):
            self.fileno = file.fileno

    def read(self, size: int = -1) -> bytes:
        piece = self.file.read(min(size, self.left) if size >= 0 else self.left)
        self.left -= len(piece)
        return piece


def blob(request: HttpRequest, blob: Blob, *, name: str, etag: str) -> HttpResponseBase:
    """Give the bytes, or the part that `Range` asks for. Raises: WrongRange, Damaged."""
    part = _part_asked(_range(request, etag), blob.size_bytes)
    first, end = (part.first, part.end) if part else (0, blob.size_bytes)
    response: HttpResponseBase
    if request.method == "HEAD":
        response = HttpResponse()
        response.headers["Content-Length"] = str(end - first)
    else:
        response = Bytes(_opened(blob, first), end - first)
    if part:
        response.status_code = 206
        response.headers["Content-Range"] = f"bytes {first}-{end - 1}/{blob.size_bytes}"
    response.headers["Accept-Ranges"] = "bytes"
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    response.headers["Content-Type"] = kind
    disposition = content_disposition_header(as_attachment=True, filename=name)
    response.headers["Content-Disposition"] = disposition or "attachment"
    return response


def _opened(blob: Blob, first: int) -> BinaryIO:
    """Open it at a byte: also for the kernel, which knows nothing of what Python read ahead."""
    proving.require_whole(blob)
    file = the_store().open(blob)
    file.seek(first)
    if blob.pack_id is None and _has_number(file):
        os.lseek(file.fileno(), first, os.SEEK_SET)
    return file


def _range(request: HttpRequest, etag: str) -> str:
    """Give what is asked of this file: its rest is no rest of another, as a branch goes on."""
    if request.META.get("HTTP_IF_RANGE", etag).strip() != etag:
        return ""
    return str(request.META.get("HTTP_RANGE", ""))


def _part_asked(header: str, size_bytes: int) -> Part | None:
    """Understand one range; of what else may stand there the whole file is a right answer."""
    match = RANGE.fullmatch(header.strip())
    if not match or match[0] == "bytes=-":
        return None
    first, last = match[1], match[2]
    if not first:
        return _last_bytes(int(last), size_bytes)
    if int(first) >= size_bytes:
        raise refusals.wrong_range(size_bytes)
    if last and int(last) < int(first):
        return None
    end = min(int(last) + 1, size_bytes) if last else size_bytes
    return Part(int(first), end)


def _last_bytes(count: int, size_bytes: int) -> Part:
    if not count or not size_bytes:
        raise refusals.wrong_range(size_bytes)
    return Part(max(0, size_bytes - count), size_bytes)


def _pieces(file: BinaryIO, size_bytes: int) -> Iterator[bytes]:
    left = size_bytes
    while left and (piece := file.read(min(left, PIECE_BYTES))):
        left -= len(piece)
        yield piece


def _has_number(file: object) -> bool:
    try:
        return isinstance(file.fileno(), int)  # type: ignore[attr-defined]
    except (AttributeError, OSError):
        return False

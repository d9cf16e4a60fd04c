"""A file as an answer that no browser ever runs or draws in our name."""

import re
from collections.abc import Iterator
from typing import BinaryIO

from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from fabriek.datasets.actions import Download

# One part, from a byte to the end: what is needed to go on with a file that came halfway.
REST = re.compile(r"bytes=(\d{1,18})-")
PIECE_BYTES = 2**20
PARTIAL, NOT_THERE = 206, 416


def attachment(taken: Download, *, asked: str = "") -> HttpResponseBase:
    """Give all of it, or the rest from the byte that `asked` (a Range header) names."""
    first = _first(asked)
    if first == 0:
        whole = FileResponse(
            taken.content,
            as_attachment=True,
            filename=taken.name,
            content_type="application/octet-stream",
        )
        whole["Content-Length"] = str(taken.size_bytes)
        return _safe(whole)
    if first >= taken.size_bytes:
        taken.content.close()
        none = HttpResponse(status=NOT_THERE)
        none["Content-Range"] = f"bytes */{taken.size_bytes}"
        return _safe(none)
    return _safe(_rest(taken, first))


def _first(asked: str) -> int:
    """Of what else a Range may say, the whole file is a right answer."""
    match = REST.fullmatch(asked.strip())
    return int(match[1]) if match else 0


def _rest(taken: Download, first: int) -> StreamingHttpResponse:
    taken.content.seek(first)
    response = StreamingHttpResponse(
        pieces(taken.content, taken.size_bytes - first),
        status=PARTIAL,
        content_type="application/octet-stream",
    )
    response._resource_closers.append(taken.content.close)  # type: ignore[attr-defined]  # noqa: SLF001
    response["Content-Length"] = str(taken.size_bytes - first)
    response["Content-Range"] = f"bytes {first}-{taken.size_bytes - 1}/{taken.size_bytes}"
    response["Content-Disposition"] = (
        content_disposition_header(as_attachment=True, filename=taken.name) or "attachment"
    )
    return response


def pieces(content: BinaryIO, left_bytes: int) -> Iterator[bytes]:
    with content:
        while left_bytes and (piece := content.read(min(left_bytes, PIECE_BYTES))):
            left_bytes -= len(piece)
            yield piece


def _safe(response: HttpResponseBase) -> HttpResponseBase:
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    response["Accept-Ranges"] = "bytes"
    return response

"""A picture or sound as an answer that a browser draws or plays, and never runs."""

import re

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from fabriek.datasets.actions import Download
from fabriek.datasets.attachment import NOT_THERE, PARTIAL, pieces

# One part, as players ask it; some play nothing before they were given the part they asked.
PART = re.compile(r"bytes=(\d{1,18})-(\d{0,18})")


def inline(taken: Download, *, content_type: str, asked: str = "") -> HttpResponseBase:
    """Give all of it, or the part that `asked` (a Range header) names.

    `content_type`: as its bytes say, never as a browser or its maker would have it.
    """
    size = taken.size_bytes
    match = PART.fullmatch(asked.strip())
    first, last = _ends(match, size) if match else (0, size - 1)
    if first >= size:
        taken.content.close()
        none = HttpResponse(status=NOT_THERE)
        none["Content-Range"] = f"bytes */{size}"
        return _safe(none, taken)
    taken.content.seek(first)
    response = StreamingHttpResponse(
        pieces(taken.content, last - first + 1), content_type=content_type
    )
    response._resource_closers.append(taken.content.close)  # type: ignore[attr-defined]  # noqa: SLF001
    response["Content-Length"] = str(last - first + 1)
    if match:
        response.status_code = PARTIAL
        response["Content-Range"] = f"bytes {first}-{last}/{size}"
    return _safe(response, taken)


def _ends(match: re.Match[str], size: int) -> tuple[int, int]:
    """Of an end before its beginning nothing is made: such a part goes to the end."""
    first, last = int(match[1]), int(match[2] or size)
    return first, min(last, size - 1) if last >= first else size - 1


def _safe(response: HttpResponseBase, taken: Download) -> HttpResponseBase:
    named = content_disposition_header(as_attachment=False, filename=taken.name)
    response["Content-Disposition"] = named or "inline"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    response["Accept-Ranges"] = "bytes"
    return response

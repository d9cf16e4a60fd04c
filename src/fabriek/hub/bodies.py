"""What a client sends, as a stream: never the whole of it in memory."""

from collections.abc import Iterator

from django.http import HttpRequest

from fabriek.hub import refusals
from fabriek.kernel.body import Body, is_in_chunks, stream
from fabriek.kernel.errors import Text, TooLarge

LINES_BYTES = 2**16


def announced(request: HttpRequest) -> int | None:
    """Give the length that was announced; nothing for a body that comes in chunks."""
    if is_in_chunks(request):
        return None
    told = request.META.get("CONTENT_LENGTH") or ""
    return int(told) if told.isdecimal() else 0


def lines(request: HttpRequest, *, limit_bytes: int, too_long: Text) -> Iterator[bytes]:
    """Give the lines of the body without their ends; empty ones are left out.

    Raises: TooLarge, before a line beyond the limit was taken in; Unreadable, when the body
    ends sooner than was announced.
    """
    body = stream(request)
    held = bytearray()
    while piece := body.read(LINES_BYTES):
        start = len(held)
        held += piece
        if b"\n" in piece:
            *whole, rest = bytes(held).split(b"\n")
            held = bytearray(rest)
            yield from (line for line in whole if line.strip())
        if len(held) > limit_bytes and start:
            raise TooLarge(too_long)
    if isinstance(body, Body) and body.left_bytes:
        raise refusals.cut()
    if held.strip():
        yield bytes(held)

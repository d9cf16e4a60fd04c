"""The body of a request in large pieces, into memory that the caller uses again.

What the web server offers, `wsgi.input`, copies each byte several times on its way. Under our
own server the bytes come from its socket instead; under any other, and in tests, from there.
"""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, ClassVar

from django.http import HttpRequest
from django.utils.translation import gettext as _
from gunicorn.http.errors import ParseException

from fabriek.kernel.errors import Refused

# A client whose network died says nothing any more; its thread is wanted by others.
SILENCE_S = 60.0


class Body:
    """Reads no more than the body has. A client that goes away looks like an early end."""

    def __init__(self, request: HttpRequest) -> None:
        self._input: Any = request.environ["wsgi.input"]  # type: ignore[attr-defined]
        self._socket, self._reader = _of_our_server(request, self._input)
        self._held = memoryview(b"")
        self.size_bytes = int(request.META.get("CONTENT_LENGTH") or 0)
        self.left_bytes = self.size_bytes
        self.moved_at = time.monotonic()
        if self._reader is not None:
            self._take_what_is_held()

    def readinto(self, target: memoryview) -> int:
        """Fill `target` as far as the body goes; less than that is the end, or a cut."""
        with _listening(self._socket):
            return self._filled(target)

    def _filled(self, target: memoryview) -> int:
        filled = 0
        while filled < len(target) and self.left_bytes:
            got = self._some(target[filled : filled + self.left_bytes])
            if not got:
                break
            filled += got
            self.left_bytes -= got
            self.moved_at = time.monotonic()
        return filled

    def read(self, size: int = -1) -> bytes:
        wanted = self.left_bytes if size < 0 else min(size, self.left_bytes)
        buffer = bytearray(wanted)
        return bytes(memoryview(buffer)[: self.readinto(memoryview(buffer))])

    def cut(self) -> None:
        """End it from another thread: whoever reads sees an early end."""
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RD)
            except OSError:
                return  # it is gone already

    def _some(self, target: memoryview) -> int:
        if self._reader is None:
            piece = self._input.read(len(target))
            target[: len(piece)] = piece
            return len(piece)
        if self._held:
            got = min(len(self._held), len(target))
            target[:got] = self._held[:got]
            self._held = self._held[got:]
        else:
            got = self._received(target)
        self._reader.length -= got
        return got

    def _received(self, target: memoryview) -> int:
        try:
            got: int = self._socket.recv_into(target)
        except OSError:
            return 0
        return got

    def _take_what_is_held(self) -> None:
        """Begin with what the server read along with the headers; what is beyond goes back."""
        unreader = self._reader.unreader
        held = self._input.buf.getvalue() + unreader.take_buffered()
        self._input.buf = BytesIO()
        self._held = memoryview(held)[: self.left_bytes]
        if len(held) > self.left_bytes:
            unreader.unread(held[self.left_bytes :])


class BrokenOff(Refused):
    code = "cut"
    status: ClassVar[int] = 400


class Chunks:
    """Reads a body without a length, of which only our own server knows where it ends.

    Raises: BrokenOff, in reading, where it ends too soon, falls silent, or is not in chunks.
    """

    def __init__(self, request: HttpRequest) -> None:
        self._input: Any = request.environ["wsgi.input"]  # type: ignore[attr-defined]
        told = getattr(getattr(self._input, "reader", None), "req", None)
        self._socket = getattr(getattr(told, "unreader", None), "sock", None)

    def read(self, size: int = -1) -> bytes:
        try:
            with _listening(self._socket):
                piece: bytes = self._input.read(size)
        except (OSError, ParseException) as error:
            raise BrokenOff(
                _("The connection broke before all was there. Nothing was kept; send it again.")
            ) from error
        return piece


@contextmanager
def _listening(client: Any) -> Iterator[None]:  # noqa: ANN401  a socket, or what stands for one
    """Let a socket wait as long as a client may be silent."""
    if client is None:
        yield
        return
    before = client.gettimeout()
    client.settimeout(SILENCE_S)
    try:
        yield
    finally:
        client.settimeout(before)


def is_in_chunks(request: HttpRequest) -> bool:
    """Tell it of a body without a length: Django would think that there is nothing."""
    return not request.META.get("CONTENT_LENGTH") and "HTTP_TRANSFER_ENCODING" in request.META


def stream(request: HttpRequest) -> Body | Chunks:
    """Give something to read the body from, also of one whose length was not announced."""
    return Chunks(request) if is_in_chunks(request) else Body(request)


def _of_our_server(request: HttpRequest, given: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """Find the socket and gunicorn's reader of a body whose length is known."""
    reader = getattr(given, "reader", None)
    unreader: Any = getattr(reader, "unreader", None)
    told = request.META.get("CONTENT_LENGTH") or ""
    if not hasattr(unreader, "take_buffered") or not hasattr(unreader, "sock"):
        return None, None
    if str(getattr(reader, "length", None)) != told or not hasattr(given, "buf"):
        return None, None
    return unreader.sock, reader

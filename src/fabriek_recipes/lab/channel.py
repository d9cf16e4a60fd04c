"""One of the connections of a wire: what arrived and was not passed on, and its window."""

from __future__ import annotations

import asyncio

WINDOW_BYTES = 256 * 1024


class BrokenLine(Exception):
    """The other side ended, or does not keep to the rules."""


class Channel:
    """One connection as the wire knows it; the bytes themselves are passed on by its task."""

    def __init__(self, number: int) -> None:
        """Begin with a full window in both directions."""
        self.number = number
        self.credit = WINDOW_BYTES
        self.has_credit = asyncio.Event()
        self.waiting_bytes = 0
        self.task: asyncio.Task[None] | None = None
        # In one piece: a piece of one byte would else cost fifty times what the window counts.
        self._arrived = bytearray()
        self._is_ended = False
        self._has_news = asyncio.Event()

    def take(self, data: bytes) -> None:
        """Keep what arrived.

        Raises:
            BrokenLine: more came than the window allows, or after the end.
        """
        self.waiting_bytes += len(data)
        if self._is_ended or self.waiting_bytes > WINDOW_BYTES:
            raise BrokenLine("more than the window, or after the end")
        self._arrived += data
        self._has_news.set()

    def end(self) -> None:
        """Note that nothing more comes.

        Raises:
            BrokenLine: it was said before.
        """
        if self._is_ended:
            raise BrokenLine("a second end")
        self._is_ended = True
        self._has_news.set()

    async def arrived(self) -> bytes:
        """Wait for what arrives, and give all of it; empty is the end."""
        while not self._arrived and not self._is_ended:
            self._has_news.clear()
            await self._has_news.wait()
        data = bytes(self._arrived)
        self._arrived.clear()
        return data

    def earn(self, taken: int) -> None:
        """Widen the window again by what the other side passed on.

        Raises:
            BrokenLine: it was not sent that much.
        """
        if not 0 < taken <= WINDOW_BYTES - self.credit:
            raise BrokenLine("more taken than sent")
        self.credit += taken
        self.has_credit.set()

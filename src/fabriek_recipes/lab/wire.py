"""Many connections over one pair of pipes, such as the two ends of one `srun`.

A frame is a head (channel, kind, length) and a body. The portal opens channels, the node
carries each to the lab's socket. Each direction of a channel has a window: no more than so
many bytes are under way that the other side has not passed on, so that one slow reader neither
fills memory nor holds up the others. What runs on the node is the person's own: the portal
believes no frame and ends the line at the first that breaks these rules.
"""

from __future__ import annotations

import asyncio
import select
import struct
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import IntEnum
from typing import Any

from fabriek_recipes.lab.channel import WINDOW_BYTES, BrokenLine, Channel

HEAD = struct.Struct(">IBI")
CREDIT = struct.Struct(">I")
PIECE_BYTES = 32 * 1024
TELL_TAKEN_BYTES = WINDOW_BYTES // 4
HELLO_BYTES_MAX = 1024
# A browser opens six connections and one for each notebook and terminal.
CHANNELS_MAX = 1024
# How often others get their turn, and how much one line may say: more than the 1,800 frames a
# second of the fastest download that was seen, and a burst of a fifth of a second above that.
FRAMES_AT_ONCE = 32
FRAMES_PER_S = 2_500
BURST_S = 0.2
LOOK_EVERY_S = 1.0
TOLD_WITHIN_S = 2.0

Pipes = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Kind(IntEnum):
    """What a frame says of its channel."""

    HELLO = 0  # of no channel: the first frame from the node, with the lab's token
    OPEN = 1
    BYTES = 2
    TAKEN = 3  # so many bytes were passed on
    END = 4  # nothing more comes from this side
    BROKEN = 5  # forget this channel


_OF_A_CHANNEL = frozenset({Kind.BYTES, Kind.TAKEN, Kind.END, Kind.BROKEN})


class Pace:
    """Keeps one line from taking the time of all: its frames wait when they come too fast."""

    def __init__(self) -> None:
        """Begin with all of the burst."""
        self._frames = 0
        self._due = 0.0

    async def step(self) -> None:
        """Count a frame; now and then let others go first."""
        self._frames += 1
        if self._frames % FRAMES_AT_ONCE:
            return
        now = time.monotonic()
        self._due = max(self._due, now - BURST_S) + FRAMES_AT_ONCE / FRAMES_PER_S
        await asyncio.sleep(max(0.0, self._due - now))


class Wire:
    """One end. `connect` makes the far end of a channel; without it none may be opened."""

    def __init__(
        self, pipes: Pipes, connect: Callable[[], Awaitable[Pipes]] | None = None
    ) -> None:
        """Take the two pipes."""
        self._reader, self._writer = pipes
        self._connect = connect
        self.channels: dict[int, Channel] = {}
        self._numbers = 0
        self._writing = asyncio.Lock()

    async def greet(self, word: bytes) -> None:
        """Say the first frame."""
        await self._send(0, Kind.HELLO, word)

    async def greeted(self) -> bytes:
        """Wait for the first frame of the other side.

        Raises:
            BrokenLine: it ended, or said something else.
        """
        _channel, kind, body = await self._frame()
        if kind != Kind.HELLO or len(body) > HELLO_BYTES_MAX:
            raise BrokenLine("no greeting")
        return body

    async def carry(self, pipes: Pipes) -> None:
        """Carry one connection to the other side, until both directions have ended."""
        if len(self.channels) >= CHANNELS_MAX:
            pipes[1].close()
            return
        self._numbers += 1
        channel = Channel(self._numbers)
        channel.task = asyncio.current_task()
        self.channels[channel.number] = channel
        await self._pass_on(channel, pipes)

    async def run(self) -> None:
        """Read frames until the other side ends.

        Raises:
            BrokenLine: it ended, or does not keep to the rules.
        """
        pace = Pace()
        try:
            while True:
                await self._take(*await self._frame())
                await pace.step()
        finally:
            for channel in list(self.channels.values()):
                self._forget(channel)

    async def _frame(self) -> tuple[int, int, bytes]:
        try:
            number, kind, length = HEAD.unpack(await self._reader.readexactly(HEAD.size))
            if length > PIECE_BYTES:
                raise BrokenLine("a frame too long")
            return number, kind, await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, OSError) as ended:
            raise BrokenLine("the other side ended") from ended

    async def _take(self, number: int, kind: int, body: bytes) -> None:
        if kind == Kind.OPEN:
            self._open(number)
            return
        if not 1 <= number <= self._numbers or kind not in _OF_A_CHANNEL:
            raise BrokenLine("an unknown frame, or of a channel that never was")
        channel = self.channels.get(number)
        if channel is None:
            return  # it has just ended here
        if kind == Kind.BYTES and body:
            channel.take(body)
        elif kind == Kind.END:
            channel.end()
        elif kind == Kind.TAKEN and len(body) == CREDIT.size:
            channel.earn(*CREDIT.unpack(body))
        elif kind == Kind.BROKEN:
            self._forget(channel)
        else:
            raise BrokenLine("an unknown frame")

    def _open(self, number: int) -> None:
        full = len(self.channels) >= CHANNELS_MAX
        if self._connect is None or number in self.channels or full:
            raise BrokenLine("a channel that may not be opened")
        self._numbers = max(self._numbers, number)
        channel = self.channels[number] = Channel(number)
        channel.task = asyncio.create_task(self._answer(channel, self._connect))

    async def _answer(self, channel: Channel, connect: Callable[[], Awaitable[Pipes]]) -> None:
        try:
            pipes = await connect()
        except OSError:
            self.channels.pop(channel.number, None)
            await self._send(channel.number, Kind.BROKEN)
        else:
            await self._pass_on(channel, pipes)

    async def _pass_on(self, channel: Channel, pipes: Pipes) -> None:
        """Pass bytes in both directions; trouble in one ends both."""
        reader, writer = pipes
        both = asyncio.gather(self._outward(channel, reader), self._inward(channel, writer))
        both.add_done_callback(_heard)
        watch = asyncio.create_task(self._gone(writer))
        ends: set[asyncio.Future[Any]] = {both, watch}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if not both.done():
                raise ConnectionResetError("nobody holds the other end any more")
            both.result()
        except OSError:
            writer.transport.abort()
            both.cancel()
            self.channels.pop(channel.number, None)
            # A line that takes no more words is no reason to keep this.
            with suppress(OSError, TimeoutError):
                await asyncio.wait_for(self._send(channel.number, Kind.BROKEN), TOLD_WITHIN_S)
        finally:
            watch.cancel()
            both.cancel()
            self.channels.pop(channel.number, None)
            writer.close()

    async def _gone(self, writer: asyncio.StreamWriter) -> None:
        """Wait until the local end is closed: who waits for the line to move cannot hear it.

        Only on the portal's side: on the node, what a closed connection left is still to be
        read.
        """
        while self._connect is not None or not _is_gone(writer):
            await asyncio.sleep(LOOK_EVERY_S)

    async def _outward(self, channel: Channel, reader: asyncio.StreamReader) -> None:
        if self._connect is None:
            await self._send(channel.number, Kind.OPEN)
        while True:
            while not channel.credit:
                channel.has_credit.clear()
                await channel.has_credit.wait()
            data = await reader.read(min(PIECE_BYTES, channel.credit))
            channel.credit -= len(data)
            await self._send(channel.number, Kind.BYTES if data else Kind.END, data)
            if not data:
                return

    async def _inward(self, channel: Channel, writer: asyncio.StreamWriter) -> None:
        taken_bytes = 0
        while data := await channel.arrived():
            writer.write(data)
            await writer.drain()
            channel.waiting_bytes -= len(data)
            taken_bytes += len(data)
            # Not for each piece: Slurm's own connection holds back a small write after another
            # small one for 40 ms (Nagle), and people would feel that at every key.
            if taken_bytes >= TELL_TAKEN_BYTES:
                await self._send(channel.number, Kind.TAKEN, CREDIT.pack(taken_bytes))
                taken_bytes = 0
        if writer.can_write_eof():
            writer.write_eof()

    def _forget(self, channel: Channel) -> None:
        self.channels.pop(channel.number, None)
        if channel.task:
            channel.task.cancel()

    async def _send(self, number: int, kind: Kind, body: bytes = b"") -> None:
        # One at a time: several tasks may not wait for one pipe together before Python 3.12.
        async with self._writing:
            self._writer.write(HEAD.pack(number, kind, len(body)) + body)
            await self._writer.drain()


def _heard(both: asyncio.Future[Any]) -> None:
    """Take note of how it ended, or asyncio complains of an end that we asked for."""
    if not both.cancelled():
        both.exception()


def _is_gone(writer: asyncio.StreamWriter) -> bool:
    if writer.is_closing():
        return True
    looked_at = select.poll()
    looked_at.register(writer.get_extra_info("socket"), 0)  # a hang-up is told unasked
    return bool(looked_at.poll(0))

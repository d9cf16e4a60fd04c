"""The wire to a lab: many connections over one pair of pipes, and what bad frames do to it."""

import asyncio
import random
import socket
import time
import tracemalloc
from contextlib import asynccontextmanager, suppress

import pytest

from fabriek_recipes.lab import wire
from fabriek_recipes.lab.channel import WINDOW_BYTES, BrokenLine, Channel
from fabriek_recipes.lab.wire import CREDIT, HEAD, PIECE_BYTES, Kind, Wire

WITHIN_S = 60  # only a test that fails waits so long
_opened = []


async def pipes_of(end):
    pipes = await asyncio.open_connection(sock=end)
    _opened.append(pipes[1])
    return pipes


async def closing(work):
    """Leave no end open, whatever comes of the work."""
    try:
        return await asyncio.wait_for(work, WITHIN_S)
    finally:
        while _opened:
            writer = _opened.pop()
            if not writer.is_closing():
                writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def a_line(answer):
    """Two ends of a wire; each channel that is opened meets `answer(reader, writer)`."""
    near, far = socket.socketpair()

    async def connect():
        ours, theirs = socket.socketpair()
        server = asyncio.create_task(answer(*await pipes_of(theirs)))
        answering.append(server)
        return await pipes_of(ours)

    answering = []
    portal = Wire(await pipes_of(near))
    node = Wire(await pipes_of(far), connect)
    tasks = [asyncio.create_task(one.run()) for one in (portal, node)]
    try:
        yield portal
    finally:
        for task in (*tasks, *answering):
            task.cancel()
            with suppress(asyncio.CancelledError, BrokenLine):
                await task


async def a_call(portal):
    ours, theirs = socket.socketpair()
    carried = asyncio.create_task(portal.carry(await pipes_of(theirs)))
    reader, writer = await pipes_of(ours)
    return reader, writer, carried


async def echo(reader, writer):
    while data := await reader.read(PIECE_BYTES):
        writer.write(data)
        await writer.drain()
    writer.close()


def soon(work):
    return asyncio.run(closing(work))


def test_every_connection_gets_its_own_bytes_back_whole():
    async def work():
        async with a_line(echo) as portal:
            return await asyncio.gather(*(talk(portal, number) for number in range(20)))

    async def talk(portal, number):
        reader, writer, carried = await a_call(portal)
        sent = bytes([number]) * (WINDOW_BYTES * 3 + number)

        async def say():
            writer.write(sent)
            await writer.drain()
            writer.write_eof()

        _, heard = await asyncio.gather(say(), reader.read())
        await carried
        writer.close()
        return heard == sent

    assert soon(work()) == [True] * 20


def test_a_connection_that_nobody_reads_holds_up_no_other():
    async def flood(reader, writer):
        with suppress(OSError):
            while True:
                writer.write(b"x" * PIECE_BYTES)
                await writer.drain()

    async def answer(reader, writer):
        await (flood if await reader.readexactly(1) == b"f" else echo)(reader, writer)

    async def work():
        async with a_line(answer) as portal:
            _unread, flooding, _carried = await a_call(portal)
            flooding.write(b"f")
            await flooding.drain()
            reader, writer, _carried = await a_call(portal)
            writer.write(b"e" + b"hello")
            heard = await reader.readexactly(5)
            flooding.close()
            writer.close()
            return heard

    assert soon(work()) == b"hello"


def test_a_side_that_ends_its_connection_is_heard_on_the_other():
    async def bye(reader, writer):
        writer.write(b"bye")
        writer.close()

    async def work():
        async with a_line(bye) as portal:
            reader, writer, carried = await a_call(portal)
            heard = await reader.read()
            writer.close()
            await carried
            return heard

    assert soon(work()) == b"bye"


@pytest.mark.parametrize(
    "frame",
    [
        HEAD.pack(1, Kind.OPEN, 0),
        HEAD.pack(1, Kind.BYTES, PIECE_BYTES + 1),
        HEAD.pack(0, Kind.HELLO, PIECE_BYTES) + b"x" * PIECE_BYTES,
        (HEAD.pack(1, Kind.BYTES, PIECE_BYTES) + b"x" * PIECE_BYTES) * 40,
        HEAD.pack(1, 99, 0),
        HEAD.pack(1, Kind.END, 0) * 2,
        HEAD.pack(1, Kind.END, 0) + HEAD.pack(1, Kind.BYTES, 1) + b"x",
        HEAD.pack(1, Kind.TAKEN, 4) + CREDIT.pack(1),
        HEAD.pack(2, Kind.TAKEN, 4) + CREDIT.pack(1),
        b"",
    ],
    ids=[
        "opens",
        "long",
        "long-greeting",
        "over-the-window",
        "unknown",
        "ends-twice",
        "goes-on-after-its-end",
        "takes-what-was-not-sent",
        "of-a-channel-that-never-was",
        "ends",
    ],
)
def test_the_portal_ends_a_line_whose_node_breaks_the_rules(frame):
    async def work():
        near, far = socket.socketpair()
        portal = Wire(await pipes_of(near))
        ours, theirs = socket.socketpair()
        carried = asyncio.create_task(portal.carry(await pipes_of(theirs)))
        reader, writer = await pipes_of(far)
        await reader.readexactly(HEAD.size)  # it opens the channel
        writer.write(frame)
        # Only what ends is told of an end: the others must be refused for what they said.
        if not frame:
            writer.write_eof()
        with pytest.raises(BrokenLine):
            await (portal.greeted() if frame.startswith(b"\0\0\0\0\0") else portal.run())
        carried.cancel()
        with suppress(asyncio.CancelledError):
            await carried
        ours.close()

    soon(work())


def test_a_short_message_is_taken_without_a_word_so_that_the_next_need_not_wait():
    async def work():
        near, far = socket.socketpair()
        portal = Wire(await pipes_of(near))
        running = asyncio.create_task(portal.run())
        ours, theirs = socket.socketpair()
        carried = asyncio.create_task(portal.carry(await pipes_of(theirs)))
        reader, writer = await pipes_of(far)
        opened = HEAD.unpack(await reader.readexactly(HEAD.size))
        writer.write(HEAD.pack(1, Kind.BYTES, 1) + b"k")
        heard = await asyncio.get_running_loop().run_in_executor(None, ours.recv, 1)
        ours.sendall(b"answer")
        number, kind, length = HEAD.unpack(await reader.readexactly(HEAD.size))
        for task in (carried, running):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        ours.close()
        return opened[1], heard, (number, kind, length)

    opened, heard, following = soon(work())
    assert (opened, heard) == (Kind.OPEN, b"k")
    assert following == (1, Kind.BYTES, len(b"answer"))


@asynccontextmanager
async def a_hostile_node():
    """Give a portal's end with one connection, and the pipe of a node that may say anything."""
    near, far = socket.socketpair()
    portal = Wire(await pipes_of(near))
    running = asyncio.create_task(portal.run())
    call = await a_call(portal)
    reader, writer = await pipes_of(far)
    assert HEAD.unpack(await reader.readexactly(HEAD.size))[:2] == (1, Kind.OPEN)
    try:
        yield portal, call, (reader, writer)
    finally:
        for task in (running, call[2]):
            task.cancel()
            with suppress(asyncio.CancelledError, BrokenLine):
                await task


@pytest.mark.parametrize("sent_bytes", [0, WINDOW_BYTES * 2])
@pytest.mark.parametrize("node", ["silent", "deaf"])
def test_a_channel_whose_local_end_is_gone_is_forgotten_whatever_the_node_does(
    monkeypatch, sent_bytes, node
):
    monkeypatch.setattr(wire, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(wire, "TOLD_WITHIN_S", 0.05)

    async def work():
        async with a_hostile_node() as (portal, (_reader, writer, carried), (heard, _far)):
            writer.write(b"x" * sent_bytes)
            listening = asyncio.create_task(heard.read()) if node == "silent" else None
            await asyncio.sleep(0.1)  # now it waits for credit, or for room in the pipe
            writer.transport.abort()
            await carried
            if listening:
                listening.cancel()
            return portal.channels

    assert soon(work()) == {}


def test_many_small_pieces_cost_no_more_than_their_window():
    channel = Channel(1)
    tracemalloc.start()

    for _ in range(WINDOW_BYTES // 2):
        channel.take(random.randbytes(2))

    kept_bytes, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept_bytes < 2 * WINDOW_BYTES
    assert len(asyncio.run(channel.arrived())) == WINDOW_BYTES


class Counting(Wire):
    """Counts the frames that it looks at."""

    def __init__(self, pipes):
        super().__init__(pipes)
        self._numbers = 1  # a channel that was, so that its frames are let pass
        self.taken = 0

    async def _take(self, *frame):
        self.taken += 1
        await super()._take(*frame)


def test_a_line_that_floods_leaves_others_their_turn(monkeypatch):
    monkeypatch.setattr(wire, "FRAMES_PER_S", 1_000)
    burst = 1_000 * wire.BURST_S

    async def work():
        near, far = socket.socketpair()
        portal = Counting(await pipes_of(near))
        running = asyncio.create_task(portal.run())
        _reader, writer = await pipes_of(far)
        writer.write(HEAD.pack(1, Kind.END, 0) * 100_000)
        begun, took_s, turns = time.monotonic(), 0.0, 0
        while took_s < 0.5 or portal.taken < burst:
            await asyncio.sleep(0)
            turns += 1
            took_s = time.monotonic() - begun
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        return turns, portal.taken, took_s

    turns, taken, took_s = soon(work())
    assert taken <= (turns + 1) * wire.FRAMES_AT_ONCE
    assert taken <= burst + 1_000 * took_s + 2 * wire.FRAMES_AT_ONCE

"""Make this terminal that of a program elsewhere: one of Jupyter's, over a WebSocket."""

import asyncio
import codecs
import json
import os
import shutil
import signal
import socket
import ssl
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

# Always the same one, so that who comes back finds what was left.
NAME = "shell"
DETACH = b"\x1d"  # Ctrl-], as telnet has it
END_OF_INPUT = "\x04"
READ_BYTES = 4096
TIMEOUT = aiohttp.ClientTimeout(total=30)


class Left(Enum):
    """How somebody came out of the terminal."""

    ENDED = "the shell ended"
    DETACHED = "the person left it alone"
    LOST = "the connection ended"
    REFUSED = "nobody was let in"


class Resolver(AbstractResolver):
    """Find every name below localhost here, as browsers do and few systems."""

    def __init__(self) -> None:
        self._others = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        here = host == "localhost" or host.endswith(".localhost")
        return await self._others.resolve("127.0.0.1" if here else host, port, family)

    async def close(self) -> None:
        await self._others.close()


def attach(url: str, origin: str, *, trust: ssl.SSLContext | bool = True) -> Left:
    """Go in at `url`, which is good once, and work until the shell or the person ends it."""
    return asyncio.run(_attach(url, origin, trust))


async def _attach(url: str, origin: str, trust: ssl.SSLContext | bool) -> Left:
    connector = aiohttp.TCPConnector(resolver=Resolver(), ssl=trust)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=jar, timeout=TIMEOUT
    ) as session:
        try:
            headers = {"Cookie": await _pass(session, url)}
            await _make_terminal(session, origin, headers)
            address = f"{origin}/terminals/websocket/{NAME}"
            async with session.ws_connect(address, headers=headers, heartbeat=20) as line:
                return await _work(line)
        except aiohttp.WSServerHandshakeError:
            return Left.REFUSED
        except (aiohttp.ClientError, TimeoutError):
            return Left.LOST


async def _pass(session: aiohttp.ClientSession, url: str) -> str:
    """Change the ticket for a pass."""
    async with session.get(url, allow_redirects=False) as answer:
        answer.raise_for_status()
        return "; ".join(f"{name}={one.value}" for name, one in answer.cookies.items())


async def _make_terminal(
    session: aiohttp.ClientSession, origin: str, headers: dict[str, str]
) -> None:
    async with session.get(f"{origin}/api/terminals", headers=headers) as answer:
        answer.raise_for_status()
        there = {one.get("name") for one in await answer.json()}
    if NAME not in there:
        made = {"name": NAME}
        async with session.post(
            f"{origin}/api/terminals", headers=headers, json=made
        ) as answer:
            answer.raise_for_status()


async def _work(line: aiohttp.ClientWebSocketResponse) -> Left:
    """Pass on what is typed and what is printed, until one of both ends."""
    with _raw():
        typed, printed = _typed(line), _printed(line)
        works = [asyncio.ensure_future(typed), asyncio.ensure_future(printed)]
        try:
            done, _others = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for work in works:
                work.cancel()
    return done.pop().result()


async def _typed(line: aiohttp.ClientWebSocketResponse) -> Left:
    arrived: asyncio.Queue[bytes] = asyncio.Queue()
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    loop = asyncio.get_running_loop()
    with _listening(loop, arrived):
        while True:
            data = await arrived.get()
            if data == _RESIZED:
                await _say(line, "set_size", *_size())
                continue
            if not data:
                await _say(line, "stdin", END_OF_INPUT)
                await asyncio.Event().wait()  # what it still prints is for the other half
            before, detach, _after = data.partition(DETACH)
            if text := decode(before):
                await _say(line, "stdin", text)
            if detach and sys.stdin.isatty():
                return Left.DETACHED


_RESIZED = b"\0\0resized"


@contextmanager
def _listening(
    loop: asyncio.AbstractEventLoop, arrived: "asyncio.Queue[bytes]"
) -> Iterator[None]:
    """Put into `arrived` what is typed, and a word when the window changes."""
    keyboard = sys.stdin.fileno()

    def read() -> None:
        data = os.read(keyboard, READ_BYTES)
        if not data:
            loop.remove_reader(keyboard)
        arrived.put_nowait(data)

    arrived.put_nowait(_RESIZED)
    try:
        loop.add_reader(keyboard, read)
    except PermissionError:  # a plain file: all of it is there
        arrived.put_nowait(sys.stdin.buffer.read())
        arrived.put_nowait(b"")
    loop.add_signal_handler(signal.SIGWINCH, arrived.put_nowait, _RESIZED)
    try:
        yield
    finally:
        loop.remove_reader(keyboard)
        loop.remove_signal_handler(signal.SIGWINCH)


async def _printed(line: aiohttp.ClientWebSocketResponse) -> Left:
    async for message in line:
        if message.type is not aiohttp.WSMsgType.TEXT:
            continue
        kind, *told = _heard(message.data)
        if kind == "stdout" and told:
            sys.stdout.write(str(told[0]))
            sys.stdout.flush()
        elif kind == "disconnect":
            return Left.ENDED
    return Left.LOST


def _heard(text: str) -> list[Any]:
    with suppress(ValueError):
        told = json.loads(text)
        if isinstance(told, list) and told:
            return told
    return [""]


async def _say(line: aiohttp.ClientWebSocketResponse, *words: object) -> None:
    await line.send_str(json.dumps(words))


def _size() -> tuple[int, int, int, int]:
    columns, lines = shutil.get_terminal_size()
    return lines, columns, 0, 0


@contextmanager
def _raw() -> Iterator[None]:
    """Hand every key on as it is, also Ctrl-C; what is no terminal stays as it is."""
    if not sys.stdin.isatty():
        yield
        return
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    try:
        tty.setraw(keyboard, termios.TCSANOW)  # what was typed meanwhile counts
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
        sys.stdout.write("\n")

"""Lines to the labs: one for each run that somebody is in, whatever carries its bytes.

The engine says how to run a command beside the job; that command is the other end of the wire.
On this end a socket in a folder of ours stands for the lab's own. The line is made when it is
first needed and let go of when nobody has used it for a while.
"""

import asyncio
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from fabriek.engines.base import EngineError
from fabriek_recipes.lab.channel import BrokenLine
from fabriek_recipes.lab.wire import Pipes, Wire

log = logging.getLogger(__name__)

GREETED_WITHIN_S = 30.0
UNUSED_S = 120.0
LOOK_EVERY_S = 10.0
END_WITHIN_S = 5.0
KILLED_WITHIN_S = 1.0
SAID_WITHIN_S = 1.0
# After a line that did not come about: those who wait for it too need not try one by one.
NOT_AGAIN_S = 5.0
CLOSING_MAX = 3
READ_BYTES = 4096
READ_EVERY_S = 0.05
WORDS_BYTES_MAX = 500

Reach = Callable[[str, tuple[str, ...]], tuple[str, ...]]


class NoLine(Exception):
    """The lab cannot be reached now."""


class Line:
    """One line that is up. `socket` is where the lab answers, `token` what it wants to hear."""

    def __init__(self, process: asyncio.subprocess.Process, wire: Wire, token: str) -> None:
        self.token = token
        self.used_at = time.monotonic()
        self._folder = Path(tempfile.mkdtemp(prefix="fabriek-line-"))  # for our account only
        self.socket = str(self._folder / "sock")
        self._process = process
        self.wire = wire
        self.carried: set[asyncio.Task[None]] = set()
        self._running: asyncio.Task[None] | None = None
        self._server: asyncio.Server | None = None

    @property
    def is_up(self) -> bool:
        return self._running is not None and not self._running.done()

    @property
    def is_used(self) -> bool:
        return bool(self.carried) or time.monotonic() - self.used_at < UNUSED_S

    async def open(self) -> None:
        self._running = asyncio.create_task(self._run())
        self._server = await asyncio.start_unix_server(self._accept, self.socket)

    async def close(self) -> None:
        if self._server:
            self._server.close()
        for task in (*self.carried, self._running):
            if task:
                task.cancel()
        await ended(self._process)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _run(self) -> None:
        with suppress(BrokenLine, OSError):
            await self.wire.run()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self.carried.add(task)
        try:
            with suppress(BrokenLine, OSError):
                await self.wire.carry((reader, writer))
        finally:
            self.carried.discard(task)
            self.used_at = time.monotonic()
            writer.close()


class Lines:
    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self.lines: dict[str, Line] = {}
        self._making: dict[str, asyncio.Lock] = {}
        self._refused: dict[str, tuple[float, str]] = {}
        self.closing: dict[str, set[asyncio.Task[None]]] = {}

    async def to(self, key: str) -> Line:
        """Give the line to the run of this key, made if there is none.

        Raises:
            NoLine: the engine or the lab does not answer.
        """
        async with self._making.setdefault(key, asyncio.Lock()):
            line = self.lines.get(key)
            if line is None or not line.is_up:
                self.drop(key)
                line = self.lines[key] = await self._made_or_refused(key)
            line.used_at = time.monotonic()
            return line

    def drop(self, key: str) -> None:
        """Let go of a line; its end is waited for by itself, so that it holds up no other."""
        if line := self.lines.pop(key, None):
            task = asyncio.create_task(line.close())
            self.closing.setdefault(key, set()).add(task)
            task.add_done_callback(partial(self._closed, key))

    async def tidy(self) -> None:
        """Let go, for ever, of lines that are down or that nobody uses."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for key, line in list(self.lines.items()):
                if not (line.is_up and line.is_used):
                    self.drop(key)

    async def close(self) -> None:
        for key in list(self.lines):
            self.drop(key)
        if closing := [task for tasks in self.closing.values() for task in tasks]:
            await asyncio.wait(closing)

    def _closed(self, key: str, task: "asyncio.Task[None]") -> None:
        tasks = self.closing[key]
        tasks.discard(task)
        if not tasks:
            del self.closing[key]

    async def _made_or_refused(self, key: str) -> Line:
        if len(self.closing.get(key, ())) > CLOSING_MAX:
            raise NoLine("earlier lines to it are not over yet")
        until, said = self._refused.get(key, (0.0, ""))
        if time.monotonic() < until:
            raise NoLine(said)
        try:
            return await self._made(key)
        except NoLine as why:
            now = time.monotonic()
            kept = {one: told for one, told in self._refused.items() if now < told[0]}
            self._refused = kept | {key: (now + NOT_AGAIN_S, str(why))}
            raise

    async def _made(self, key: str) -> Line:
        far_end = (sys.executable, "-m", "fabriek_recipes.lab.line", key)
        try:
            command = await asyncio.to_thread(self._reach, key, far_end)
        except EngineError as error:
            raise NoLine(str(error)) from error
        process = await _started(command)
        complaints = asyncio.create_task(_last_words(process))
        wire = Wire(_pipes(process))
        try:
            token = await asyncio.wait_for(wire.greeted(), GREETED_WITHIN_S)
            line = Line(process, wire, token.decode("ascii"))
            await line.open()
        except (BrokenLine, TimeoutError, UnicodeDecodeError, OSError) as error:
            await ended(process)
            raise NoLine(f"{error}: {await _said(complaints)}") from error
        return line


async def _started(command: tuple[str, ...]) -> asyncio.subprocess.Process:
    start = partial(asyncio.create_subprocess_exec, *command, cwd="/", start_new_session=True)
    try:
        # Nothing of the portal's environment is for a program that runs beside a job.
        return await start(
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": os.defpath},
        )
    except OSError as error:
        raise NoLine(str(error)) from error


async def _last_words(process: asyncio.subprocess.Process) -> str:
    """Read, until its end, what the process complains of; give the last of it."""
    words = b""
    while process.stderr and (more := await process.stderr.read(READ_BYTES)):
        words = (words + more)[-WORDS_BYTES_MAX:]
        await asyncio.sleep(READ_EVERY_S)  # who complains without end is not read without end
    return words.decode("utf-8", "replace").strip()


async def _said(complaints: "asyncio.Task[str]") -> str:
    # A connection that ssh keeps for others may hold this pipe open for minutes.
    done, _waiting = await asyncio.wait({complaints}, timeout=SAID_WITHIN_S)
    return complaints.result() if done else ""


def _pipes(process: asyncio.subprocess.Process) -> Pipes:
    if process.stdout is None or process.stdin is None:
        raise NoLine("a process without pipes")
    return process.stdout, process.stdin


async def ended(process: asyncio.subprocess.Process) -> None:
    """Let the process and its children end: by the end of what they read, or else by force.

    One that is another's, as under sudo, may stay until its job ends; what it holds of ours
    is closed, so that it hears and says no more, and it is not waited for.
    """
    if process.stdin:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), END_WITHIN_S)
    except TimeoutError:
        # It leads the group, and nobody else can have its number before it was waited for.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), KILLED_WITHIN_S)
    if process.returncode is None:
        log.warning("The process %s of a line could not be ended.", process.pid)
    with suppress(PermissionError):
        process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001  no other way

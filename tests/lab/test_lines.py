"""Lines to hostile nodes: nothing of them is left, and none holds up another."""

import asyncio
import struct
import sys
from pathlib import Path

import pytest

from fabriek.lab import lines
from fabriek.lab.lines import Lines, NoLine
from tests.engines.waiting import eventually

GREETING = struct.pack(">IBI", 0, 0, 1) + b"w"
SAYS = "import sys, time; sys.stdout.buffer.write({said!r}); sys.stdout.buffer.flush(); "
STAYS = "sys.stdin.close(); time.sleep(600)"  # it hears no end
OBEYS = "sys.stdin.buffer.read()"


def reach(key, _command):
    """Give a node behind a shell, as behind sudo and srun; its key says how it behaves."""
    said = b"" if key.startswith("mute") else GREETING
    last = OBEYS if key.startswith("good") else STAYS
    program = SAYS.format(said=said) + last
    return ("/bin/sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", program, key)


def is_left(key):
    """Whether a process with this word lives."""
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if key.encode() in place.read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False


def becomes_gone(key):
    """Wait for what was killed: that its shell is over says nothing yet of what it started."""
    eventually(lambda: not is_left(key))


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    for name, value in {
        "END_WITHIN_S": 0.3,
        "UNUSED_S": 0.2,
        "LOOK_EVERY_S": 0.1,
    }.items():
        monkeypatch.setattr(lines, name, value)


def within(work):
    return asyncio.run(asyncio.wait_for(work, 100))  # a busy machine is slow, not wrong


def test_a_node_that_hears_no_end_is_ended_with_all_its_processes(tmp_path):
    key = f"hostile-{tmp_path.name}"

    async def work():
        held = Lines(reach)
        await held.to(key)
        was_there = is_left(key)
        await held.close()
        return was_there

    assert within(work())
    becomes_gone(key)


def test_a_hostile_line_does_not_keep_those_of_others(monkeypatch):
    monkeypatch.setattr(lines, "END_WITHIN_S", 60)

    async def work():
        held = Lines(reach)
        tidying = asyncio.create_task(held.tidy())
        for key in ("hostile", "good-1", "good-2"):
            await held.to(key)
        while held.lines:
            await asyncio.sleep(0.05)
        tidying.cancel()
        waiting = set(held.closing)
        while {"good-1", "good-2"} & waiting:
            await asyncio.sleep(0.05)
            waiting = set(held.closing)
        return waiting

    assert within(work()) == {"hostile"}


def test_a_node_without_a_greeting_is_asked_once_for_all_who_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "GREETED_WITHIN_S", 0.5)
    key, asked = f"mute-{tmp_path.name}", []

    def counted(key, command):
        asked.append(key)
        return reach(key, command)

    async def work():
        held = Lines(counted)
        tries = [held.to(key) for _ in range(5)]
        answers = await asyncio.gather(*tries, return_exceptions=True)
        return {type(one) for one in answers}

    assert within(work()) == {NoLine}
    becomes_gone(key)
    assert len(asked) == 1

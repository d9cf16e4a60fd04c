"""`fabriek up` for real: it answers, mends its loop, and leaves no process behind."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests import tables
from tests.server import free_port

pytestmark = pytest.mark.slow
WITHIN_S = 600  # beside other tests a first start takes long


def eventually(look, what):
    """Look again and again at a thing of another process, until it is there."""
    deadline = time.monotonic() + WITHIN_S
    while not (found := look()):
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
    return found


def children_of(pid):
    """Find the living processes that `pid` started, with their command lines."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            stat = (place / "stat").read_text().rpartition(")")[2].split()
            line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if int(stat[1]) == pid and stat[0] != "Z":
            found[int(place.name)] = line
    return found


def loop_of(pid):
    return next((child for child, line in children_of(pid).items() if " loop " in line), None)


def family(pid):
    """Find all processes below `pid`."""
    below = children_of(pid)
    return set(below) | {one for child in below for one in family(child)}


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def answers(url):
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.TransportError:
        return False


@pytest.fixture
def factory(tmp_path):
    """Start a factory that has made its tables before."""
    tables.give(tmp_path)
    with _up(tmp_path) as up:
        yield up


@pytest.fixture
def first_start(tmp_path):
    """Start a factory in an empty folder."""
    with _up(tmp_path) as up:
        yield up


@contextmanager
def _up(home):
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "FABRIEK_HOME": str(home),
        "FABRIEK_LOOP_PAUSE_S": "0.2",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    command = [sys.executable, "-m", "fabriek", "up", "--port", str(port), "--threads", "2"]
    with (home / "up.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}/"
    seen = set()
    try:
        eventually(lambda: answers(url) or process.poll() is not None, "no answer")
        assert process.poll() is None, (home / "up.log").read_text()
        eventually(lambda: loop_of(process.pid), "there is no loop")
        seen |= family(process.pid)
        yield process, url
    finally:
        seen |= family(process.pid)
        process.kill()
        process.wait()
        for pid in filter(is_alive, seen):
            os.kill(pid, signal.SIGKILL)


def test_a_factory_mends_its_loop_and_ends_cleanly(first_start):
    process, url = first_start
    first = loop_of(process.pid)

    os.kill(first, signal.SIGKILL)
    second = eventually(
        lambda: (found := loop_of(process.pid)) not in {None, first} and found,
        "no new loop came",
    )
    members = family(process.pid)
    process.terminate()

    assert second != first
    assert process.wait(WITHIN_S) == 0
    assert [pid for pid in members if is_alive(pid)] == []
    assert not answers(url)


def test_a_visitor_cannot_say_below_which_path_we_stand(factory):
    """Gunicorn would believe it of whoever comes from this machine, as a proxy does."""
    _, url = factory

    httpx.get(f"{url}x/accounts/login/", headers={"SCRIPT_NAME": "/x"}, timeout=WITHIN_S)
    page = httpx.get(f"{url}accounts/login/", timeout=WITHIN_S).text

    assert 'action="/accounts/login/"' in page
    assert "/x/" not in page


def test_nothing_outlives_a_supervisor_that_was_killed(factory):
    process, url = factory
    loop = loop_of(process.pid)

    process.kill()

    eventually(lambda: not is_alive(loop), "the loop goes on without its parent")
    eventually(lambda: not answers(url), "the portal keeps the port")

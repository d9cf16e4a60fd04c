"""The processes of a run open no door by which others could speak in it."""

import ipaddress
import os
import subprocess
import textwrap
from pathlib import Path

import pytest

from tests.engines.waiting import eventually, is_alive
from tests.recipes.conftest import TINY, prepare
from tests.recipes.test_many import Started, two_machines  # noqa: F401

pytestmark = [pytest.mark.slow, pytest.mark.many]

# Longer than any of these tests looks at it.
LONG = {**TINY, "epochs": 100, "tokens_per_step": 64, "checkpoint_every_steps": 100_000}
LISTENS = "0A"
NOBODY = 65534
# Python runs a module of this name at each start.
TELL_WHO_UNPICKLES = """
    import pickle, sys

    def told(asker):
        if "/torch/distributed/" in asker.f_code.co_filename:
            with open({file!r}, "a") as told:
                told.write(asker.f_code.co_filename + "\\n")

    def loads(*given, real=pickle.loads, **more):
        told(sys._getframe(1))
        return real(*given, **more)

    class Unpickler(pickle.Unpickler):
        def __init__(self, *given, **more):
            told(sys._getframe(1))
            super().__init__(*given, **more)

    pickle.loads, pickle.Unpickler = loads, Unpickler
"""


@pytest.fixture
def run(tmp_path, corpus):
    return prepare(tmp_path / "run", "pretrain_lm", LONG, {"dataset": corpus})


@pytest.fixture(scope="module")
def learning(tmp_path_factory, corpus):
    """Give one run for all who look at it; the last of them ends it."""
    folder = tmp_path_factory.mktemp("learning") / "run"
    with Started(prepare(folder, "pretrain_lm", LONG, {"dataset": corpus})) as started:
        started.wait_for_step(1)
        yield started


def doors(started: Started) -> set[tuple[str, int]]:
    """Give address and port of each socket on which torchrun or its processes listen."""
    told = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    rows = [line.split() for line in told.splitlines()]
    places = {row[9]: row[1] for row in rows if row[3] == LISTENS}
    found = set()
    for process in (started.process.pid, *started.children()):
        for link in Path(f"/proc/{process}/fd").iterdir():
            kind, _, inode = str(link.readlink()).partition(":")
            if kind == "socket" and inode.strip("[]") in places:
                found.add(_read(places[inode.strip("[]")]))
    return found


def _read(place: str) -> tuple[str, int]:
    """Read an address as Linux tells it: words of four bytes, each the wrong way round."""
    address, port = place.split(":")
    words = [bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8)]
    return str(ipaddress.ip_address(b"".join(words))), int(port, 16)


def test_on_one_machine_nobody_outside_it_can_connect(learning):
    assert {address for address, _port in doors(learning)} == {"127.0.0.1"}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_nobody_else_can_open_the_file_in_which_they_meet(learning):
    told = Path(f"/proc/{learning.rank(0)}/environ").read_bytes().split(b"\0")
    [place] = [each[16:] for each in told if each.startswith(b"FABRIEK_MEETING=")]

    ours = os.access(place, os.R_OK | os.W_OK)
    theirs = subprocess.run(["/bin/cat", place], user=NOBODY, check=False).returncode

    assert (ours, theirs) == (True, 1)


def test_a_run_whose_torchrun_is_killed_does_not_go_on(learning):
    left = learning.children()

    learning.process.kill()

    for process in left:
        eventually(lambda process=process: not is_alive(process), within_s=20)


def test_on_two_machines_nothing_listens_on_all_addresses(run, two_machines):  # noqa: F811
    here, there = two_machines
    one_each = "--nproc-per-node=1"

    with Started(run, one_each, **here) as first, Started(run, one_each, **there) as second:
        first.wait_for_step(1)

        found = {address for address, _port in doors(first) | doors(second)}

    # Torchrun's own store listens everywhere; gloo on the one interface.
    assert len(found) == 1
    assert found.isdisjoint({"0.0.0.0", "::"})


def test_torch_unpickles_nothing_that_processes_tell_each_other(tmp_path, corpus):
    knobs = {**TINY, "epochs": 2}
    run = prepare(tmp_path / "run", "pretrain_lm", knobs, {"dataset": corpus})
    file = tmp_path / "told"
    code = textwrap.dedent(TELL_WHO_UNPICKLES).format(file=str(file))
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside/sitecustomize.py").write_text(code)

    with Started(run, beside=tmp_path / "beside") as started:
        assert started.ended() == 0

    assert not file.exists(), file.read_text()

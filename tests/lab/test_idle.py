"""The lab alone, a process with a socket: when it stops by itself, and that it has no port."""

import json
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from uuid import uuid4

import pytest
import websocket

from fabriek_recipes.events import read_events
from fabriek_recipes.lab.knobs import READY
from fabriek_recipes.lab.place import place_of, socket_in, token_in
from fabriek_recipes.run_folder import Limits, Manifest, write_manifest
from tests.engines.waiting import eventually
from tests.lab.people import executing

pytestmark = pytest.mark.slow
SHORTLY = """
import sys
from pathlib import Path
from fabriek_recipes.events import Events
from fabriek_recipes.lab import server
from fabriek_recipes.lab.knobs import Knobs
from fabriek_recipes.run_folder import read_manifest
server.LOOK_EVERY_S = 0.2
folder = Path(sys.argv[1])
knobs = Knobs.model_construct(idle_minutes=float(sys.argv[2]) / 60)
server.serve(folder, read_manifest(folder), knobs, Events(folder / "events.jsonl"))
"""
STATE_LISTENS = "0A"  # /proc/net/tcp
ENDS_WITHIN_S = 120  # only a test that fails waits so long


class Lab:
    def __init__(self, folder):
        self.folder = folder
        self.key = f"fabriek-{uuid4().hex}"
        self.place = place_of(self.key)

    def begins(self, *, idle_s, timeout_s=600):
        limits = Limits(gpus=1, timeout_s=timeout_s)
        about = {"recipe": "lab", "knobs": {}, "inputs": {}, "seed": 1, "code_version": "0"}
        write_manifest(self.folder, Manifest(key=self.key, limits=limits, **about))
        command = [sys.executable, "-c", SHORTLY, str(self.folder), str(idle_s)]
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.folder, env=self.surroundings
            )
        eventually(lambda: {"name": READY} in self.said("stage"), within_s=30)
        self.token = token_in(self.place).read_text()
        return self

    @property
    def surroundings(self):
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.folder)}

    def said(self, kind):
        events, _offset = read_events(self.folder / "events.jsonl")
        return [event.fields for event in events if event.kind == kind]

    def ask(self, method, path, body=None, *, token=None):
        """Call as a page does; give the status and what was said."""
        headers = {"Authorization": f"token {token or self.token}"}
        call = HTTPConnection("lab", timeout=ENDS_WITHIN_S)
        with socket.socket(socket.AF_UNIX) as call.sock:
            call.sock.connect(str(socket_in(self.place)))
            call.request(method, path, json.dumps(body) if body else None, headers)
            answer = call.getresponse()
            return answer.status, json.loads(answer.read())

    def opens(self, path):
        call = socket.socket(socket.AF_UNIX)
        call.connect(str(socket_in(self.place)))
        word = [f"Authorization: token {self.token}"]
        return websocket.create_connection(f"ws://lab{path}", socket=call, header=word)

    def begins_to_compute(self):
        """Begin a kernel; until it answers, which may take longer than a lab idles, save."""

        def opened():
            _status, kernel = self.ask("POST", "/api/kernels", {"name": "python3"})
            return self.opens(f"/api/kernels/{kernel['id']}/channels")

        def saved_until_then():
            empty = {"type": "file", "format": "text", "content": ""}
            self.ask("PUT", "/api/contents/empty.txt", empty)
            return opening.done()

        with ThreadPoolExecutor(1) as beside:
            opening = beside.submit(opened)
            eventually(saved_until_then, within_s=30)
            return opening.result()

    def ports(self):
        """Give the ports on which this process itself listens."""
        sockets = {
            link.readlink().name
            for link in Path(f"/proc/{self.process.pid}/fd").iterdir()
            if link.is_symlink()
        }
        rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return [
            row[1]
            for row in rows
            if row[3] == STATE_LISTENS and f"socket:[{row[9]}]" in sockets
        ]


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path)
    yield lab
    lab.process.terminate()
    lab.process.wait(ENDS_WITHIN_S)


def test_an_open_page_alone_does_not_keep_a_lab_going(lab):
    lab.begins(idle_s=2)

    def asks_on():
        with suppress(OSError, HTTPException):  # it may have just ended
            lab.ask("GET", "/api/kernels")  # as a page of JupyterLab does, for ever
        return lab.process.poll() is not None

    eventually(asks_on, within_s=20)

    assert lab.process.returncode == 0
    [warning] = lab.said("warning")
    assert warning["code"] == "idle"
    assert not lab.place.exists()


def test_saving_and_computing_keep_it_going(lab):
    lab.begins(idle_s=8)  # on a busy machine a call may take seconds
    _status, kernel = lab.ask("POST", "/api/kernels", {"name": "python3"})
    began = lab.said("stage")[-1]

    for _ in range(10):
        saved = {"type": "file", "format": "text", "content": json.dumps(began)}
        assert lab.ask("PUT", "/api/contents/a.txt", saved)[0] in {200, 201}
        with pytest.raises(subprocess.TimeoutExpired):
            lab.process.wait(1)

    assert kernel["name"] == "python3"
    assert lab.process.poll() is None
    assert (lab.folder / "work" / "a.txt").read_text() == json.dumps(began)


def test_a_notebook_that_computes_and_a_terminal_that_prints_count_as_work(lab):
    lab.begins(idle_s=6)
    line = lab.begins_to_compute()
    _status, made = lab.ask("POST", "/api/terminals", {"cwd": "."})
    shell = lab.opens(f"/terminals/websocket/{made['name']}")
    asks = 'python -c "import sys; print(sys.prefix)" > which.txt &'
    shell.send(json.dumps(["stdin", f"{asks} for i in $(seq 9); do echo $i; sleep 1; done\r"]))
    with pytest.raises(subprocess.TimeoutExpired):
        lab.process.wait(8.5)

    line.send(json.dumps(executing("import time; time.sleep(9)")))
    with pytest.raises(subprocess.TimeoutExpired):
        lab.process.wait(8.5)

    assert lab.process.wait(ENDS_WITHIN_S) == 0
    assert [one["code"] for one in lab.said("warning")] == ["idle"]
    # Of its own Python, whatever PATH the machine gives who signs in.
    assert (lab.folder / "work" / "which.txt").read_text() == f"{sys.prefix}\n"
    shell.shutdown()
    line.shutdown()


def test_it_leaves_by_itself_at_the_end_of_its_hours(lab):
    lab.begins(idle_s=60, timeout_s=22)

    assert lab.process.wait(ENDS_WITHIN_S) == 0
    assert [one["code"] for one in lab.said("warning")] == ["hours_over"]


def test_it_listens_on_no_port_and_answers_only_who_has_the_word(lab):
    lab.begins(idle_s=60)

    assert lab.ports() == []
    assert lab.ask("GET", "/api/contents")[0] == 200
    assert lab.ask("GET", "/api/contents", token="guessed")[0] == 403
    assert oct(lab.place.stat().st_mode)[-3:] == "700"


def test_it_ends_in_order_when_it_is_told_to(lab):
    lab.begins(idle_s=60)
    lab.ask("POST", "/api/kernels", {"name": "python3"})

    lab.process.terminate()

    assert lab.process.wait(ENDS_WITHIN_S) == 0
    assert not lab.place.exists()

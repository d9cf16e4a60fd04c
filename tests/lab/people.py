"""People who work in a lab, as its gateway meets them: with a browser's cookies and headers."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import websocket

from tests.engines.waiting import eventually
from tests.lab.furnish import PASSWORD
from tests.visitor import Visitor

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 60
ANSWERS_WITHIN_S = 150  # on a slow machine that does much else
COOKIE = "fabriek-lab"


def furnished(factory):
    """Fill the factory, and give what is in it."""
    environment = factory.environment | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.lab.furnish"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@dataclass
class Somebody:
    """A person with a browser that is signed in, and a token for programs."""

    url: str
    told: dict
    visitor: Visitor = field(init=False)

    def __post_init__(self):
        self.visitor = Visitor(self.url, "en").go("/accounts/login/")
        self.visitor.send("login", login=self.told["email"], password=PASSWORD)

    def __enter__(self):
        return self

    def __exit__(self, *_problem):
        self.visitor.http.close()

    def api(self, method, path, **body):
        headers = {"Authorization": f"Bearer {self.told['token']}"}
        return httpx.request(
            method,
            f"{self.url}/api/{path}",
            headers=headers,
            json=body,
            timeout=ANSWERS_WITHIN_S,
        )

    def begins(self, **wish):
        """Ask for a lab and wait until it is open; give its code."""
        wanted = {"case": self.told["case"], "wish_id": str(uuid4())} | wish
        answer = self.api("POST", "lab/", **wanted)
        assert answer.status_code == 201, answer.text
        code = answer.json()["code"]
        eventually(lambda: self.lab(code)["is_open"], within_s=READY_WITHIN_S)
        return code

    def lab(self, code):
        return self.api("GET", f"lab/{code}").json()

    def run(self, code):
        return self.api("GET", f"runs/{code}").json()

    def ended(self, code, within_s=30):
        def over():
            run = self.run(code)
            return run if run["state"] not in {"waiting", "queued", "running"} else None

        return eventually(over, within_s=within_s)

    def asks_to_enter(self, code):
        """Press the button on the page of the run; give the answer."""
        page = self.visitor.go(f"/runs/{code}/")
        asked = {"csrfmiddlewaretoken": page.http.cookies["csrftoken"]}
        assert f'action="/lab/{code}/enter"' in page.text
        return page.http.post(f"/lab/{code}/enter", data=asked, follow_redirects=False)

    def enters(self, code):
        return Inside.by(self.asks_to_enter(code).headers["Location"])

    def signs_out(self):
        self.visitor.go("/accounts/logout/").send("logout")


@dataclass
class Inside:
    """Somebody's browser on the host of one run."""

    origin: str
    cookie: str = ""

    @classmethod
    def by(cls, address):
        parts = urlsplit(address)
        inside = cls(f"{parts.scheme}://{parts.netloc}")
        answer = inside.get(f"{parts.path}?{parts.query}")
        assert answer.status_code == 303, answer.text
        inside.cookie = answer.headers["set-cookie"].partition(";")[0]
        return inside

    @property
    def host(self):
        return urlsplit(self.origin).netloc

    @property
    def port(self):
        return urlsplit(self.origin).port

    def get(self, path, **headers):
        return self.call("GET", path, **headers)

    def call(self, method, path, body=None, **headers):
        """Call as a page of the lab does; names below localhost are not known everywhere."""
        sent = {"Host": self.host, "Cookie": self.cookie, "Origin": self.origin}
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in (sent | told).items() if value}
        url = f"http://127.0.0.1:{self.port}{path}"
        return httpx.request(method, url, headers=sent, json=body, timeout=ANSWERS_WITHIN_S)

    def opens(self, path, **about):
        about = {"cookie": self.cookie, "origin": self.origin} | about
        return websocket.create_connection(
            f"ws://127.0.0.1:{self.port}{path}",
            host=self.host,
            timeout=ANSWERS_WITHIN_S,
            **about,
        )

    def computes(self, code):
        """Let a kernel run `code`, as a notebook does; give what it printed."""
        kernel = self.call("POST", "/api/kernels", {"name": "python3"}).json()["id"]
        session = uuid4().hex
        line = self.opens(f"/api/kernels/{kernel}/channels?session_id={session}")
        message = executing(code, session)
        line.send(json.dumps(message))
        printed, is_done = "", False
        while not is_done:
            told = json.loads(line.recv())
            if told["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                assert told["content"].get("status", "ok") == "ok", told
                printed += str(told["content"].get("text", ""))
                is_done = told["content"].get("execution_state") == "idle"
        line.close()
        return printed


def executing(code, session="someone"):
    """Make the message with which a notebook lets its kernel run `code`."""
    head = {"msg_id": uuid4().hex, "msg_type": "execute_request", "version": "5.3"}
    head |= {"session": session, "username": "", "date": "2026-11-26T12:00:00Z"}
    wish = {"code": code, "silent": False, "store_history": False}
    wish |= {"user_expressions": {}, "allow_stdin": False, "stop_on_error": True}
    message = {"header": head, "parent_header": {}, "metadata": {}, "content": wish}
    return message | {"channel": "shell", "buffers": []}


def of_the_command(somebody, home):
    """Give the surroundings in which `fabriek` is somebody's own."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "FABRIEK_URL": somebody.url,
        "FABRIEK_TOKEN": somebody.told["token"],
        "TERM": "xterm",
        "LANG": "C.UTF-8",
    }

"""A whole factory as its users meet it: `fabriek up` in a process and a home of its own."""

import atexit
import os
import secrets
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests import tables

PORTS = range(20_000, 32_000)  # Linux calls from 32768 on
STARTS_WITHIN_S = 600  # on a slow machine that does much else


@dataclass(frozen=True, kw_only=True)
class Factory:
    url: str
    environment: dict[str, str]

    def manage(self, *words):
        """Run a server command on this factory, as its operator would."""
        command = [sys.executable, "-m", "fabriek", *words]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout


class Running:
    """Starts the factory on entering, and ends every process of it on leaving."""

    def __init__(self, home: Path, **settings: str):
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        kept = {
            name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ
        }
        environment = kept | {
            "DJANGO_SETTINGS_MODULE": "fabriek.settings",
            "FABRIEK_HOME": str(home),
            "FABRIEK_URL": url,
            "FABRIEK_LAB_URL": f"http://*.localhost:{free_port()}",
            "FABRIEK_EMAIL_VERIFICATION": "none",
            "FABRIEK_LOOP_PAUSE_S": "0.2",
            "FABRIEK_LOOK_AUTO_BYTES": "0",  # looking at each push would slow what is tested
        }
        environment |= settings
        self.factory = Factory(url=url, environment=environment)
        self._port = port
        self._log = home / "up.log"
        tables.give(home)

    def __enter__(self) -> Factory:
        command = [sys.executable, "-m", "fabriek", "up", "--port", str(self._port)]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command, env=self.factory.environment, stdout=log, stderr=log
            )
        try:
            self._wait()
        except BaseException:
            self._end()
            raise
        return self.factory

    def __exit__(self, *_problem):
        self._end()

    def _wait(self):
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, "the portal does not answer"
            time.sleep(0.2)

    def _end(self):
        self._process.terminate()
        self._process.wait(150)

    def _answers(self):
        try:
            return httpx.get(self.factory.url, timeout=5).status_code == 200
        except httpx.TransportError:
            return False


def free_port():
    """Give one outside those that the kernel hands to whoever calls somebody.

    A factory takes seconds to start, and until then any call out of this machine could take
    a port of the kernel's choice. Nor do tests beside this one get it: as long as this process
    lives it has a name that only one can have, which is no file that could stay behind.
    """
    while True:
        port, ours = secrets.choice(PORTS), socket.socket(socket.AF_UNIX)
        try:
            ours.bind(f"\0fabriek-tests-{port}")
            with socket.socket() as found:
                found.bind(("127.0.0.1", port))
        except OSError:
            ours.close()
        else:
            atexit.register(ours.close)
            return port

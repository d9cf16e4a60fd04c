"""A provider of OpenID Connect on this machine: a package that is not of our own hand."""

import subprocess
import sys
import time
from urllib.parse import quote

import httpx

from tests.server import free_port

STARTS_WITHIN_S = 300  # only a test that fails waits so long
ANSWERS_WITHIN_S = 60


class Provider:
    """Starts the provider on entering; whoever gives a `sub` there is believed."""

    def __init__(self):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]

    def __enter__(self):
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(self._command, stdout=quiet, stderr=quiet)
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not self._answers():
            assert self._process.poll() is None, "the provider ended"
            assert time.monotonic() < deadline, "the provider does not answer"
            time.sleep(0.1)
        return self

    def __exit__(self, *_problem):
        self._process.terminate()
        self._process.wait(150)

    def knows(self, sub, **claims):
        """Let the provider tell this about the one with the number `sub`."""
        told = httpx.put(
            f"{self.url}/users/{quote(sub)}", json=claims, timeout=ANSWERS_WITHIN_S
        )
        told.raise_for_status()
        return sub

    def admits(self, address, sub):
        """Sign in there as `sub`, as who was sent to `address`; give the way back."""
        answer = httpx.post(address, data={"sub": sub}, timeout=ANSWERS_WITHIN_S)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def _answers(self):
        try:
            return httpx.get(self.url, timeout=5).status_code == 200
        except httpx.TransportError:
            return False

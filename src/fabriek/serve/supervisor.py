"""Keep the portal and its loop alive: two processes, one command."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
REST_BEFORE_RESTART_S = 2.0
GRACE_S = 10.0


def run(*, host: str, port: int, threads: int) -> int:
    """Serve until SIGTERM or SIGINT.

    A loop that dies is started again; without a web process there is nothing to serve, so its
    end is the end.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _setter(stop))
    with _process(_web(host, port, threads)) as web, _kept_alive(_loop(), stop):
        while not stop.is_set() and web.poll() is None:
            stop.wait(LOOK_EVERY_S)
        stop.set()
    return 0 if web.returncode in (0, -signal.SIGTERM) else 1


def _setter(stop: threading.Event) -> "signal._HANDLER":
    def handler(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    return handler


def _web(host: str, port: int, threads: int) -> list[str]:
    command = [sys.executable, "-m", "gunicorn", "fabriek.wsgi:application"]
    command += ["--bind", f"{host}:{port}", "--worker-class", "gthread", "--workers", "1"]
    return [*command, "--threads", str(threads), "--timeout", "60", "--log-level", "warning"]


def _loop() -> list[str]:
    return [sys.executable, "-m", "fabriek", "loop", "--parent", str(os.getpid())]


@contextmanager
def _process(command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    # A process group of its own: Ctrl-C reaches us only, and we end the others in order.
    child = subprocess.Popen(command, process_group=0)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextmanager
def _kept_alive(command: list[str], stop: threading.Event) -> Iterator[None]:
    def keep() -> None:
        while not stop.is_set():
            with _process(command) as child:
                while not stop.is_set() and child.poll() is None:
                    stop.wait(LOOK_EVERY_S)
            if not stop.is_set():
                log.warning("The loop ended with %s; it is started again.", child.returncode)
                stop.wait(REST_BEFORE_RESTART_S)

    keeper = threading.Thread(target=keep, name="loop-keeper")
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join()

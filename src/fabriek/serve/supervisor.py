"""Keep the portal, its loop and its gateway alive: three processes, one command."""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

from fabriek.kernel import static_files
from fabriek.lab import actions as lab
from fabriek.lab import addresses

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
REST_BEFORE_RESTART_S = 2.0
GRACE_S = 10.0
# Clients keep a connection some seconds (httpx: 5); one closed sooner breaks their next call.
KEEP_ALIVE_S = 75
# Who sends or takes a file on a slow line holds one for as long; one is made when it is needed.
THREADS = 32
WORKER = "fabriek.serve.worker.Worker"  # gunicorn's gthread, with a patience of its own
PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None)


def run(*, host: str, port: int, threads: int) -> int:
    """Serve until SIGTERM or SIGINT.

    A loop or a gateway that dies is started again; without a web process there is nothing to
    serve, so its end is the end.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _setter(stop))
    static_files.lay_out()
    command = web_command(host, port, threads)
    with (
        _process(command, before=_end_with_parent) as web,
        _all_kept_alive(_beside(port), stop),
    ):
        while not stop.is_set() and web.poll() is None:
            stop.wait(LOOK_EVERY_S)
        stop.set()
    return 0 if web.returncode in (0, -signal.SIGTERM) else 1


def _setter(stop: threading.Event) -> "signal._HANDLER":
    def handler(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    return handler


def web_command(host: str, port: int, threads: int) -> list[str]:
    """Give the command that serves the portal; the bench measures the same one."""
    command = [sys.executable, "-m", "gunicorn", "fabriek.wsgi:application"]
    command += ["--bind", f"{host}:{port}", "--worker-class", WORKER, "--workers", "1"]
    command += ["--threads", str(threads), "--keep-alive", str(KEEP_ALIVE_S)]
    # The most there can be: a long name of a file stands in its address, in three signs a byte.
    command += ["--limit-request-line", "8190"]
    # Nobody may say below which path we stand: addresses that were looked up once are kept.
    command += ["--forwarder-headers", ""]
    return [*command, "--timeout", "60", "--log-level", "warning"]


def _beside(port: int) -> dict[str, list[str]]:
    """Name what runs beside the portal; the gateway only where there is work to go into."""
    ours = [sys.executable, "-m", "fabriek"]
    parent = ["--parent", str(os.getpid())]
    beside = {"loop": [*ours, "loop", *parent]}
    if lab.is_offered():
        gateway = ["gateway", "--port", str(addresses.port(beside=port))]
        beside["gateway"] = [*ours, *gateway, *parent]
    return beside


def _end_with_parent() -> None:
    """Ask the kernel for SIGTERM when we are killed: else the web server keeps the port."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@contextmanager
def _process(
    command: list[str], *, before: Callable[[], None] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    # A process group of its own: Ctrl-C reaches us only, and we end the others in order.
    # `before` runs in the child of a process that has one thread still, where that is safe.
    child = subprocess.Popen(command, process_group=0, preexec_fn=before)  # noqa: PLW1509
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
def _all_kept_alive(commands: dict[str, list[str]], stop: threading.Event) -> Iterator[None]:
    with ExitStack() as stack:
        for name, command in commands.items():
            stack.enter_context(_kept_alive(name, command, stop))
        yield


@contextmanager
def _kept_alive(name: str, command: list[str], stop: threading.Event) -> Iterator[None]:
    def keep() -> None:
        while not stop.is_set():
            with _process(command) as child:
                while not stop.is_set() and child.poll() is None:
                    stop.wait(LOOK_EVERY_S)
            if not stop.is_set():
                log.warning(
                    "The %s ended with %s; it is started again.", name, child.returncode
                )
                stop.wait(REST_BEFORE_RESTART_S)

    keeper = threading.Thread(target=keep, name=f"{name}-keeper")
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join()

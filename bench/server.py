"""The portal as it is served: one gunicorn worker on loopback, and what it costs."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from fabriek.serve import supervisor

READY_WITHIN_S = 30
GRACE_S = 10
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
HOST = "127.0.0.1"
BLOCK_BYTES = 2**20  # what is sent at once; the 8 KiB of http.client would measure itself


@dataclass(frozen=True, slots=True)
class Server:
    port: int
    worker: int

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def connect(self) -> HTTPConnection:
        return HTTPConnection(HOST, self.port, timeout=60, blocksize=BLOCK_BYTES)

    def cpu_s(self) -> float:
        """CPU seconds of the worker so far, in user and system time."""
        fields = Path(f"/proc/{self.worker}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND

    def memory_mib(self, row: str) -> float:
        """`VmRSS`: now; `VmHWM`: the most since `forget_peak`."""
        status = Path(f"/proc/{self.worker}/status").read_text().splitlines()
        found = next(line for line in status if line.startswith(f"{row}:"))
        return int(found.split()[1]) / 1024

    def forget_peak(self) -> None:
        with suppress(OSError):
            Path(f"/proc/{self.worker}/clear_refs").write_text("5")


@contextmanager
def running(environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Serve as `fabriek up` does, with the environment we have or another one."""
    port = free_port()
    command = supervisor.web_command(HOST, port, supervisor.THREADS)
    master = subprocess.Popen(command, env=environment)
    try:
        _wait(master, port)
        yield Server(port, _worker_of(master))
    finally:
        master.terminate()
        try:
            master.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            master.kill()
            master.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def _wait(master: "subprocess.Popen[bytes]", port: int) -> None:
    end = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < end and master.poll() is None:
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            if _worker_of(master):
                return
        time.sleep(0.1)
    raise RuntimeError("The portal did not start.")


def _worker_of(master: "subprocess.Popen[bytes]") -> int:
    path = Path(f"/proc/{master.pid}/task/{master.pid}/children")
    return next((int(pid) for pid in path.read_text().split()), 0)

"""Uploads that can be gone on with, beside tuspyserver: the same client, then a quick one."""

import base64
import os
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from bench.data import peers
from bench.data.rounds import Scene
from bench.data.turns import Took, in_turn
from bench.server import HOST, free_port
from bench.table import Table
from bench.visitors import key_for
from fabriek.cli import data_tus
from fabriek.datasets import actions

FULL_BYTES, SMALL_BYTES = 2**30, 2**26
CHUNK_MIB = 64
BLOCK = 2**20
READY_WITHIN_S = 20
TIMES = 2.5  # what we hold ourselves to, with proof of every part
CLIENT = """
import sys
from tusclient import client
url, token, path = sys.argv[1:]
headers = {"Authorization": "Bearer " + token}
client.TusClient(url, headers=headers).uploader(path, chunk_size=%d * 2**20).upload()
"""
SERVER = """
import sys
import uvicorn
from fastapi import FastAPI
from tuspyserver import create_tus_router
app = FastAPI()
app.include_router(create_tus_router(files_dir=sys.argv[1], max_size=2**36))
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sender:
    """One file, and the two places that it is sent to."""

    scene: Scene
    address: str
    token: str
    file: Path
    peer: Path
    peer_url: str

    def ready(self, _name: str, _turn: int) -> None:
        """Let the file begin with other bytes each time, so that it is new everywhere."""
        with self.file.open("r+b") as file:
            file.write(os.urandom(16))
            os.fsync(file.fileno())

    def by_their_client(self, url: str) -> None:
        command = [self.peer, "-c", CLIENT % CHUNK_MIB, url, self.token, self.file]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def by_ours(self) -> None:
        """Send parts as our command line does, without all that is around it."""
        http = self.scene.server.connect()
        size = self.file.stat().st_size
        headers = {"Authorization": f"Bearer {self.token}", "Tus-Resumable": "1.0.0"}
        http.request("POST", self.address, headers=headers | {"Upload-Length": str(size)})
        begun = http.getresponse()
        begun.read()
        place = begun.headers["Location"]
        with self.file.open("rb", buffering=0) as file:
            for part in data_tus.parts(file.fileno(), 0, size):
                told = headers | {
                    "Upload-Offset": str(part.at),
                    "Upload-Checksum": f"blake3 {base64.b64encode(part.proof).decode()}",
                    "Content-Type": "application/offset+octet-stream",
                    "Content-Length": str(part.size_bytes),
                }
                body = _pieces(file, part.size_bytes)
                http.request("PATCH", place, body=body, headers=told)
                answer = http.getresponse()
                answer.read()
                if answer.status != 204:
                    raise RuntimeError(f"a part was answered {answer.status}")
        http.close()


def _pieces(file: FileIO, size_bytes: int) -> Iterator[bytes]:
    left = size_bytes
    while left and (piece := file.read(min(left, BLOCK))):
        left -= len(piece)
        yield piece


def measure(scene: Scene, *, small: bool) -> Table:
    peer = peers.python("tus")
    if peer is None:
        return Table(title="Upload in parts", header=("",), rows=[("tuspyserver is not here",)])
    size = SMALL_BYTES if small else FULL_BYTES
    file = scene.folder / "sent.bin"
    with file.open("wb") as written:
        for _ in range(size // BLOCK):
            written.write(os.urandom(BLOCK))
    facts = {"description": "", "licence": "consortium-only", "has_personal_data": False}
    dataset = actions.create(scene.case, by=scene.person, title="In delen", **facts)
    address = f"/api/datasets/{dataset.code}/uploads/"
    scene.server.forget_peak()
    before = scene.server.memory_mib("VmRSS")
    with _their_server(peer, scene.folder) as peer_url:
        sender = Sender(
            scene=scene,
            address=address,
            token=key_for(scene.person),
            file=file,
            peer=peer,
            peer_url=peer_url,
        )
        took = in_turn(_works(sender), before=sender.ready)
    return _table(took, size, scene.server.memory_mib("VmHWM") - before)


THEIRS = f"tuspy to tuspyserver, {CHUNK_MIB} MiB"
PROVED = "ours to ours, BLAKE3 of each part"


def _works(sender: Sender) -> dict[str, Callable[[int], object]]:
    ours = f"{sender.scene.server.url}{sender.address}"
    return {
        THEIRS: lambda _turn: sender.by_their_client(sender.peer_url),
        f"tuspy to ours, {CHUNK_MIB} MiB": lambda _turn: sender.by_their_client(ours),
        PROVED: lambda _turn: sender.by_ours(),
    }


@contextmanager
def _their_server(peer: Path, folder: Path) -> Iterator[str]:
    (folder / "theirs").mkdir()
    port = free_port()
    child = subprocess.Popen([peer, "-c", SERVER, folder / "theirs", str(port)])
    url = f"http://{HOST}:{port}/files/"
    try:
        deadline = time.monotonic() + READY_WITHIN_S
        while not _answers(url):
            if time.monotonic() > deadline:
                raise RuntimeError("tuspyserver does not answer")
            time.sleep(0.1)
        yield url
    finally:
        child.terminate()
        child.wait()


def _answers(url: str) -> bool:
    request = urllib.request.Request(url, method="OPTIONS")  # noqa: S310  our own address
    with suppress(OSError), urllib.request.urlopen(request, timeout=2):  # noqa: S310
        return True
    return False


def _table(took: dict[str, Took], size: int, grown_mib: float) -> Table:
    rows = [
        (name, each.best_s, each.median_s, size / each.best_s / 1e6, size / each.median_s / 1e6)
        for name, each in took.items()
    ]
    times = took[THEIRS].median_s / took[PROVED].median_s
    return Table(
        title=f"Upload in parts of {size / 2**20:,.0f} MiB",
        header=("what", "best s", "median s", "best MB/s", "median MB/s"),
        rows=rows,
        note=f"Proved and flushed to the disk, ours takes in {times:.1f} times as much "
        "a second as tuspyserver, which proves and flushes nothing "
        f"(goal: {TIMES}). The worker grew by at most {grown_mib:.0f} MiB.",
    )

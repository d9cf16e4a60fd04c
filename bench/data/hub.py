"""The Hub's own routes: a large file up and down, what a client asks before, and the memory."""

import base64
import hashlib
import json
import os
import shutil
import socket
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.data.files import run
from bench.data.rounds import Scene
from bench.data.turns import Took, in_turn
from bench.server import HOST
from bench.table import Table
from bench.visitors import key_for
from fabriek.hub import actions
from fabriek.store import queries
from fabriek.store.models import Blob

FULL_BYTES, SMALL_BYTES = 4 * 2**30, 2**28
BLOCK = 2**20
CALLS = 300
UPLOAD_MB_S, DOWNLOAD_MB_S, CALL_MS, GROWN_MIB = 400, 1000, 3, 150  # what we hold ourselves to
COLD, PEER = "download, from the disk", "cat, from the disk"
README = b"# Questions\n"


@dataclass(kw_only=True, slots=True)
class Client:
    """Sends and fetches as cheaply as can be: what is measured is the server."""

    scene: Scene
    repo_id: str
    token: str
    file: Path
    sha256: str = ""
    link: str = ""

    def ready(self, name: str, _turn: int) -> None:
        """Make the file new in each of its blocks, and ask for a link to send it by."""
        if name in {COLD, PEER}:
            self._off_memory()
        if name != "LFS upload":
            return
        digest = hashlib.sha256()
        with self.file.open("r+b") as file:
            for number in range(self.file.stat().st_size // BLOCK):
                file.seek(number * BLOCK)
                file.write(os.urandom(16))
                file.seek(number * BLOCK)
                digest.update(file.read(BLOCK))
            os.fsync(file.fileno())
        self.sha256 = digest.hexdigest()
        told = {"oid": self.sha256, "size": self.file.stat().st_size}
        wish = {"operation": "upload", "transfers": ["basic"], "objects": [told]}
        answer = self.post(f"/datasets/{self.repo_id}.git/info/lfs/objects/batch", wish)
        href = answer["objects"][0]["actions"]["upload"]["href"]
        self.link = href.partition(str(self.scene.server.port))[2]

    def upload(self, _turn: int) -> None:
        size = self.file.stat().st_size
        with closing(self._connected()) as there, self.file.open("rb") as file:
            there.sendall(self._head("PUT", self.link, f"Content-Length: {size}"))
            there.sendfile(file)
            _require_ok(there.recv(BLOCK))
        self.commit(
            {"key": "lfsFile", "value": {"path": "a.bin", "oid": self.sha256, "size": size}}
        )

    def download(self, _turn: int) -> None:
        path = f"/datasets/{self.repo_id}/resolve/main/a.bin"
        room, got = memoryview(bytearray(BLOCK)), 0
        with closing(self._connected()) as there:
            there.sendall(self._head("GET", path, "Connection: close"))
            first = there.recv_into(room)
            _require_ok(bytes(room[:first]))
            got = first
            while some := there.recv_into(room):
                got += some
        if got < self.file.stat().st_size:
            raise RuntimeError("the file did not come whole")

    def read(self, _turn: int) -> None:
        run(["cat", str(self._kept)])

    def copy(self, _turn: int) -> None:
        target = self.file.with_suffix(".copy")
        shutil.copyfile(self.file, target)
        with target.open("rb") as file:
            os.fsync(file.fileno())
        target.unlink()

    def commit(self, line: dict[str, object]) -> None:
        head = {"key": "header", "value": {"summary": "bench"}}
        text = "\n".join(map(json.dumps, [head, line]))
        self._ask("POST", f"/api/datasets/{self.repo_id}/commit/main", text)

    def calls_ms(self, method: str, path: str) -> list[float]:
        took = []
        with closing(self.scene.server.connect()) as there:
            for _ in range(CALLS):
                began = time.perf_counter()
                there.request(method, path, headers=self._headers())
                there.getresponse().read()
                took.append((time.perf_counter() - began) * 1000)
        return sorted(took)

    def post(self, path: str, body: object) -> dict:
        return json.loads(self._ask("POST", path, json.dumps(body)))

    def _ask(self, method: str, path: str, text: str) -> bytes:
        with closing(self.scene.server.connect()) as there:
            there.request(method, path, text, self._headers())
            answer = there.getresponse()
            content = answer.read()
        if answer.status != 200:
            raise RuntimeError(content.decode())
        return content

    @property
    def _kept(self) -> Path:
        return queries.the_store().path(Blob.objects.get(sha256=self.sha256))

    def _off_memory(self) -> None:
        """Let the next who reads what was sent wait for the disk."""
        with self._kept.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}

    def _connected(self) -> socket.socket:
        return socket.create_connection((HOST, self.scene.server.port))

    def _head(self, method: str, path: str, more: str) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", more]
        lines.append(f"Authorization: Bearer {self.token}")
        return "\r\n".join([*lines, "", ""]).encode()


def measure(scene: Scene, *, small: bool) -> Sequence[Table]:
    client = _client(scene, SMALL_BYTES if small else FULL_BYTES)
    before_mib = scene.server.memory_mib("VmRSS")
    scene.server.forget_peak()
    works = {"LFS upload": client.upload, PEER: client.read, COLD: client.download}
    works |= {"download": client.download, "cp": client.copy}
    took = in_turn(works, before=client.ready)
    grown_mib = scene.server.memory_mib("VmHWM") - before_mib
    return [_of_bytes(client, took, grown_mib), _of_calls(client)]


def _client(scene: Scene, size_bytes: int) -> Client:
    made = actions.create("dataset", namespace="", name="bench-hub", by=scene.person)
    file = scene.folder / "rows.bin"
    block = os.urandom(BLOCK)
    with file.open("wb") as opened:
        for _ in range(size_bytes // BLOCK):
            opened.write(block)
    token, repo_id = key_for(scene.person), made.repository.repo_id
    client = Client(scene=scene, repo_id=repo_id, token=token, file=file)
    small = {"path": "README.md", "content": base64.b64encode(README).decode()}
    client.commit({"key": "file", "value": small})
    return client


def _of_bytes(client: Client, took: dict[str, Took], grown_mib: float) -> Table:
    megabytes = client.file.stat().st_size / 1e6
    speeds = {name: megabytes / each.best_s for name, each in took.items()}
    rows = [
        (name, each.best_s, each.median_s, speeds[name], megabytes / each.median_s)
        for name, each in took.items()
    ]
    ok = speeds["LFS upload"] >= UPLOAD_MB_S and speeds["download"] >= DOWNLOAD_MB_S
    return Table(
        title=f"Hub: a file of {megabytes / 1e3:.1f} GB",
        header=("", "min s", "median s", "best MB/s", "median MB/s"),
        rows=rows,
        note=f"Upload with SHA-256, BLAKE3, fsync and commit; the server's memory grew by "
        f"{grown_mib:.0f} MiB at most.",
        ok=ok and grown_mib < GROWN_MIB,
    )


def _of_calls(client: Client) -> Table:
    asked = {
        "HEAD resolve": ("HEAD", f"/datasets/{client.repo_id}/resolve/main/README.md"),
        "HEAD, absent": ("HEAD", f"/datasets/{client.repo_id}/resolve/main/nope.md"),
        "info": ("GET", f"/api/datasets/{client.repo_id}"),
        "tree": ("GET", f"/api/datasets/{client.repo_id}/tree/main"),
    }
    rows, ok = [], True
    for name, words in asked.items():
        took = client.calls_ms(*words)
        median = took[len(took) // 2]
        rows.append((name, took[0], median, took[int(len(took) * 0.99)]))
        ok = ok and median <= CALL_MS
    header = ("", "min ms", "median ms", "p99 ms")
    return Table(title="Hub: what clients ask before a file", header=header, rows=rows, ok=ok)


def _require_ok(answer: bytes) -> None:
    if b" 200 " not in answer[:20]:
        raise RuntimeError(answer[:500].decode("latin-1"))

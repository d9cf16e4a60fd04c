"""Pushing one large file, beside what the machine itself needs to read and copy it."""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings

from bench.server import Server
from bench.table import Table
from bench.visitors import key_for
from bench.world.people import People
from fabriek.cases.models import Case
from fabriek.datasets import actions as datasets
from fabriek.datasets.models import Dataset
from fabriek.store.files import FolderStore

ROUNDS = 3
LIMIT_S = 120
BLOCK = 2**20
FULL_BYTES = 2**30
SMALL_BYTES = 2**26
ROOM = 8  # times the size of the file: three pushes, three copies of ours, and some air


@dataclass(kw_only=True, slots=True)
class Scene:
    """One file and its destination; each time its first bytes differ, so that it is new."""

    folder: Path
    server: Server
    dataset: Dataset
    token: str
    size_bytes: int
    turn: int = 0
    took: dict[str, list[float]] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return self.folder / "rows.bin"

    def make_new(self) -> None:
        self.turn += 1
        with self.file.open("r+b") as file:
            file.write(self.turn.to_bytes(8))


def measure(server: Server, people: People, *, small: bool) -> Table:
    size_bytes = SMALL_BYTES if small else FULL_BYTES
    if shutil.disk_usage(settings.HOME).free < ROOM * size_bytes:
        return Table(title="Push", header=("",), rows=[("not measured: the disk is too full",)])
    with _scene(server, people, size_bytes) as scene:
        before_mib = server.memory_mib("VmRSS")
        server.forget_peak()
        for _ in range(ROUNDS):
            for name, work in WORKS.items():
                _time(scene, name, work)
        grown_mib = server.memory_mib("VmHWM") - before_mib
    return _table(scene, grown_mib)


def _time(scene: Scene, name: str, work: Callable[[Scene], None]) -> None:
    scene.make_new()
    if work is _put:
        digest = _sha256_of(scene.file)  # the sender knows it: outside the clock
        start = time.perf_counter()
        _put(scene, digest)
    else:
        start = time.perf_counter()
        work(scene)
    scene.took.setdefault(name, []).append(time.perf_counter() - start)


@contextmanager
def _scene(server: Server, people: People, size_bytes: int) -> Iterator[Scene]:
    applicant = people.applicant
    case = Case.objects.taken_part_in_by(applicant).filter(state="open").order_by("pk")[0]
    facts = {"description": "", "licence": "consortium-only", "has_personal_data": False}
    dataset = datasets.create(case, by=applicant, title="Groot bestand", **facts)
    with TemporaryDirectory(prefix="push-", dir=settings.HOME) as folder:
        scene = Scene(
            folder=Path(folder),
            server=server,
            dataset=dataset,
            token=key_for(applicant),
            size_bytes=size_bytes,
        )
        with scene.file.open("wb") as file:
            for _ in range(size_bytes // BLOCK):
                file.write(os.urandom(BLOCK))
        yield scene


def _sha256sum(scene: Scene) -> None:
    subprocess.run(["sha256sum", str(scene.file)], check=True, stdout=subprocess.DEVNULL,
                   timeout=LIMIT_S)  # fmt: skip


def _cp(scene: Scene) -> None:
    target = scene.folder / "copy.bin"
    subprocess.run(["cp", "--reflink=never", str(scene.file), str(target)], check=True,
                   timeout=LIMIT_S)  # fmt: skip


def _cp_and_flush(scene: Scene) -> None:
    _cp(scene)
    subprocess.run(["sync", str(scene.folder / "copy.bin")], check=True, timeout=LIMIT_S)


def _push(scene: Scene) -> None:
    environment = os.environ | {"FABRIEK_URL": scene.server.url, "FABRIEK_TOKEN": scene.token}
    command = [str(Path(sys.executable).with_name("fabriek")), "data", "push"]
    subprocess.run([*command, scene.dataset.code, str(scene.file)], check=True, env=environment,
                   stdout=subprocess.DEVNULL, timeout=LIMIT_S)  # fmt: skip


def _put(scene: Scene, digest: str) -> None:
    http = scene.server.connect()
    address = f"/api/datasets/{scene.dataset.code}/files?path=rows.bin&sha256={digest}"
    headers = {
        "Authorization": f"Bearer {scene.token}",
        "Content-Length": str(scene.size_bytes),
    }
    with scene.file.open("rb") as file:
        http.request("PUT", address, body=file, headers=headers)
        answer = http.getresponse()
    said = answer.read()
    http.close()
    if answer.status != 201:
        raise RuntimeError(f"The push was answered {answer.status}: {said[:300]!r}")


def _receive(scene: Scene) -> None:
    store = FolderStore(settings.STORE_HOME)
    with scene.file.open("rb") as file:
        store.receive(0, file, limit_bytes=2 * scene.size_bytes)


WORKS: dict[str, Callable[..., None]] = {
    "sha256sum": _sha256sum,
    "cp": _cp,
    "cp, then sync": _cp_and_flush,
    "the store's own receive (hash, write, fsync)": _receive,
    "PUT to the API": _put,
    "fabriek data push (hash, ask, send, save)": _push,
}


def _sha256_of(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(BLOCK):
            digest.update(chunk)
    return digest.hexdigest()


def _table(scene: Scene, grown_mib: float) -> Table:
    mib = scene.size_bytes / 2**20
    rows = [
        (name, min(took), statistics.median(took), mib / statistics.median(took))
        for name, took in scene.took.items()
    ]
    return Table(
        title=f"Push of one file of {mib:,.0f} MiB",
        header=("what", "best s", "median s", "median MiB/s"),
        rows=rows,
        note=f"{ROUNDS} rounds, one after the other in turn; each push is of bytes the store "
        f"has not seen. The worker grew by at most {grown_mib:.0f} MiB. PUT and receive flush "
        "to the disk before they answer; cp does not.",
    )

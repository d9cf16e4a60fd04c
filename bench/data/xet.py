"""Sending by the Xet protocol with its own client: a new file, and a copy that changed."""

import os
import random
import shutil
import statistics
import subprocess
import sys

from bench.data.rounds import Scene
from bench.data.turns import ROUNDS, in_turn
from bench.table import Table
from bench.visitors import key_for
from fabriek.datasets import actions as datasets
from fabriek.hub.xet_models import Xorb
from fabriek.store.models import Repository

BLOCK = 2**20
FULL_BYTES, SMALL_BYTES = 2**30, 2**26
NEW, CHANGED = "a new file", "a copy that changed"
CHANGES = 3  # places in which a copy differs
UPLOAD = """
import sys
from huggingface_hub import HfApi
path, repo, name = sys.argv[1:]
HfApi().upload_file(path_or_fileobj=path, repo_id=repo, repo_type="dataset", path_in_repo=name)
"""
FACTS = {"description": "", "licence": "consortium-only", "has_personal_data": False}


def measure(scene: Scene, *, small: bool) -> Table:
    trial = Trial(scene, size_bytes=SMALL_BYTES if small else FULL_BYTES)
    try:
        return trial.table()
    finally:
        shutil.rmtree(trial.folder)


class Trial:
    """Files that the store has not seen, sent by a client in a process of its own."""

    def __init__(self, scene: Scene, *, size_bytes: int) -> None:
        self.server, self.size_bytes = scene.server, size_bytes
        self.folder = scene.folder / "xet"
        self.folder.mkdir()
        made = datasets.create(scene.case, by=scene.person, title="xet", **FACTS)
        self.repository: Repository = made.repository
        self.environment = os.environ | {
            "HF_ENDPOINT": self.server.url,
            "HF_TOKEN": key_for(scene.person),
            "HF_HOME": str(self.folder / "hf"),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }
        self._number = 0
        self.xorbs: dict[str, list[int]] = {}
        self.cpu_s: dict[str, list[float]] = {}

    def table(self) -> Table:
        self._make(NEW, 0)
        self._send()  # so that the worker has read all its code
        before_mib = self.server.memory_mib("VmRSS")
        self.server.forget_peak()
        took = in_turn({name: self._timed(name) for name in (NEW, CHANGED)}, before=self._make)
        grown_mib = self.server.memory_mib("VmHWM") - before_mib
        mib = self.size_bytes / 2**20
        rows = [
            (name, one.best_s, one.median_s, mib / one.median_s, *self._cost(name))
            for name, one in took.items()
        ]
        return Table(
            title=f"Sending {mib:,.0f} MiB by Xet, to the commit",
            header=("what", "best s", "median s", "median MiB/s", "xorbs", "server CPU s"),
            rows=rows,
            note=f"{ROUNDS} rounds in turn; a process of the client for each, its start "
            f"included; the client shares the machine. The worker grew by at most "
            f"{grown_mib:.0f} MiB.",
        )

    def _make(self, name: str, turn: int) -> None:
        path = self.folder / "file.bin"
        if name == NEW:
            with path.open("wb") as file:
                for _ in range(self.size_bytes // BLOCK):
                    file.write(os.urandom(BLOCK))
            return
        places = random.Random(turn)
        with path.open("r+b") as file:
            for _ in range(CHANGES):
                file.seek(places.randrange(self.size_bytes - BLOCK))
                file.write(os.urandom(100))

    def _timed(self, name: str):
        def work(_turn: int) -> None:
            xorbs, cpu_s = self._xorbs(), self.server.cpu_s()
            self._send()
            self.xorbs.setdefault(name, []).append(self._xorbs() - xorbs)
            self.cpu_s.setdefault(name, []).append(self.server.cpu_s() - cpu_s)

        return work

    def _send(self) -> None:
        self._number += 1
        path, name = str(self.folder / "file.bin"), f"{self._number}.bin"
        command = [sys.executable, "-c", UPLOAD, path, self.repository.repo_id, name]
        subprocess.run(command, env=self.environment, check=True)

    def _cost(self, name: str) -> tuple[float, float]:
        return statistics.median(self.xorbs[name]), statistics.median(self.cpu_s[name])

    def _xorbs(self) -> int:
        return Xorb.objects.filter(repository=self.repository).count()

"""One large file by the command people type, over HTTP, beside dvc and git-lfs.

Ours proves each part and keeps the bytes in a second place; `dvc add` keeps a copy on the same
disk, `dvc push` makes another in a folder there.
"""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.data import peers
from bench.data.files import begin_dvc, begin_lfs, run, settle, write_large
from bench.data.pushed import DVC_PUSHED, OURS, dataset_of, environment_of, in_two_places
from bench.data.rounds import Scene
from bench.data.turns import ROUNDS, beside, in_turn
from bench.table import Table

TIMES = 2  # what we hold ourselves to
DVC, LFS = "dvc add, copy", "git lfs: git add"
# What may be there by its size is hashed before it is sent.
HASHED = f"{OURS}, of a size that is there"


@dataclass(kw_only=True, slots=True)
class Pushing:
    """One file, new to all each time, and what the portal's worker spent on it."""

    scene: Scene
    dvc: Path | None
    environment: dict[str, str]
    made: int = 0
    worker_cpu_s: list[float] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.scene.folder / "large.bin"

    @property
    def work(self) -> Path:
        return self.scene.folder / "work"

    @property
    def second_place(self) -> Path:
        return self.scene.folder / "second"

    def ready(self, name: str, _turn: int) -> None:
        """Begin with an empty place and other bytes, outside the clock; ours a byte longer."""
        for place in (self.work, self.second_place):
            shutil.rmtree(place, ignore_errors=True)
        self.work.mkdir()
        with self.file.open("r+b") as file:
            file.write(os.urandom(16))
            if name == OURS:
                file.truncate(self.file.stat().st_size + 1)
        if name in {DVC, DVC_PUSHED} and self.dvc:
            begin_dvc(self.dvc, self.work, keeps="copy")
            self._dvc("remote", "add", "-d", "there", str(self.second_place))
        if name == LFS:
            begin_lfs(self.work)
        if name not in {OURS, HASHED}:
            os.link(self.file, self.work / self.file.name)
        settle()

    def ours(self, _turn: int) -> None:
        before = self.scene.server.cpu_s()
        self.made += 1
        code = dataset_of(self.scene, self.made).code
        command = [str(Path(sys.executable).with_name("fabriek")), "data", "push", code]
        run([*command, str(self.file)], self.scene.folder, environment=self.environment)
        self.worker_cpu_s.append(self.scene.server.cpu_s() - before)
        settle()

    def by_dvc(self, _turn: int) -> None:
        self._dvc("add", self.file.name)
        settle()

    def by_dvc_pushed(self, _turn: int) -> None:
        self._dvc("add", self.file.name)
        self._dvc("push")
        settle()

    def by_lfs(self, _turn: int) -> None:
        run(["git", "add", self.file.name], self.work)
        settle()

    def _dvc(self, *words: str) -> None:
        run([str(self.dvc), *words, "-q"], self.work, environment=self.environment)


def measure(scene: Scene, *, small: bool) -> Table:
    pushing = Pushing(
        scene=scene, dvc=peers.program("dvc", "dvc"), environment=environment_of(scene)
    )
    write_large(pushing.file, small=small)
    scene.server.forget_peak()
    before_mib = scene.server.memory_mib("VmRSS")
    took = in_turn(_works(pushing), rounds=1 if small else ROUNDS, before=pushing.ready)
    grown_mib = scene.server.memory_mib("VmHWM") - before_mib
    size_mib = pushing.file.stat().st_size / 2**20
    title = f"One file of {size_mib:,.0f} MiB pushed by a command"
    told = beside(title, took, ours=OURS, peer=DVC, times=TIMES)
    worker = (
        f"The portal's worker spent {min(pushing.worker_cpu_s):.1f} CPU s, beside what is told "
        f"here, and grew by {grown_mib:.0f} MiB."
    )
    return replace(told, note=f"{told.note} {in_two_places(took)}{worker}")


def _works(pushing: Pushing) -> dict[str, Callable[[int], None]]:
    works: dict[str, Callable[[int], None]] = {
        OURS: pushing.ours,
        HASHED: pushing.ours,
    }
    if pushing.dvc:
        works |= {DVC: pushing.by_dvc, DVC_PUSHED: pushing.by_dvc_pushed}
    if shutil.which("git-lfs"):
        works[LFS] = pushing.by_lfs
    return works

"""Many small files by the command people type, and the same command when nothing changed.

Peers do the same on this disk alone; ours sends over HTTP to a portal that proves every file.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.data import peers
from bench.data.files import begin_lfs, linked, settle, write_small
from bench.data.rounds import Scene
from bench.data.turns import ROUNDS, Took, in_turn
from bench.table import Table
from bench.visitors import key_for
from fabriek.datasets import actions
from fabriek.datasets.models import Dataset

LIMIT_S = 600
MANY_TIMES, AGAIN_TIMES = 2, 5  # what we hold ourselves to
OURS, DVC, LFS = "fabriek data push, over HTTP", "dvc add, hard link", "git lfs: add, commit"


@dataclass(kw_only=True, slots=True)
class Pushing:
    """Twenty thousand files, and for each contestant a place where it keeps them.

    A place outlives its turn: the same command again finds nothing new there.
    """

    scene: Scene
    environment: dict[str, str]
    dvc: Path | None
    has_lfs: bool
    datasets: list[Dataset] = field(default_factory=list)

    @property
    def files(self) -> Path:
        return self.scene.folder / "small"

    @property
    def ours_from(self) -> Path:
        """A copy, since those of the others are links to one file."""
        return self.scene.folder / "ours"

    def place(self, name: str) -> Path:
        return self.scene.folder / name.split(maxsplit=1)[0]

    def ready(self, name: str, _turn: int) -> None:
        """Begin each with an empty place, outside the clock."""
        if name == OURS:
            self.datasets.append(_dataset(self.scene, len(self.datasets)))
            self._make_new()
        else:
            place = self.place(name)
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            linked(self.files, place / "small")
            (self._begin_dvc if name == DVC else begin_lfs)(place)
        settle()

    def _make_new(self) -> None:
        """Let each file begin with other bytes, so that it is known neither here nor there."""
        for path in self.ours_from.rglob("*.bin"):
            with path.open("r+b") as file:
                file.write(os.urandom(8))

    def _begin_dvc(self, place: Path) -> None:
        self.run([str(self.dvc), "init", "--no-scm", "-q"], place)
        self.run([str(self.dvc), "config", "cache.type", "hardlink", "-q"], place)

    def ours(self, _turn: int) -> None:
        code = self.datasets[-1].code
        command = [str(Path(sys.executable).with_name("fabriek")), "data", "push", code]
        self.run([*command, str(self.ours_from)], self.scene.folder)
        settle()

    def by_dvc(self, _turn: int) -> None:
        self.run([str(self.dvc), "add", "small", "-q"], self.place(DVC))
        settle()

    def by_lfs(self, _turn: int) -> None:
        place = self.place(LFS)
        self.run(["git", "add", "."], place)
        who = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"]
        self.run(["git", *who, "commit", "-q", "--allow-empty", "-m", "bench"], place)
        settle()

    def run(self, command: list[str], where: Path) -> None:
        subprocess.run(
            command,
            check=True,
            cwd=where,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=LIMIT_S,
        )


def measure(scene: Scene, *, small: bool) -> Sequence[Table]:
    environment = os.environ | {
        "FABRIEK_URL": scene.server.url,
        "FABRIEK_TOKEN": key_for(scene.person),
        "XDG_CACHE_HOME": str(scene.folder / "cache"),
        "DVC_NO_ANALYTICS": "1",
    }
    pushing = Pushing(
        scene=scene,
        environment=environment,
        dvc=peers.program("dvc", "dvc"),
        has_lfs=shutil.which("git-lfs") is not None,
    )
    write_small(pushing.files, small=small)
    shutil.copytree(pushing.files, pushing.ours_from)
    rounds = 1 if small else ROUNDS
    works = _works(pushing)
    first = in_turn(works, rounds=rounds, before=pushing.ready)
    settle()
    again = in_turn(works, rounds=rounds)
    return [
        _beside(
            "Many small files pushed by a command (4 to 60 KiB)",
            first,
            note=f"What the portal itself spends is not in the CPU. {_lacking(works)}",
            times=MANY_TIMES,
        ),
        _beside("The same command, nothing changed", again, note="", times=AGAIN_TIMES),
    ]


def _works(pushing: Pushing) -> dict[str, Callable[[int], None]]:
    works: dict[str, Callable[[int], None]] = {OURS: pushing.ours}
    if pushing.dvc:
        works[DVC] = pushing.by_dvc
    if pushing.has_lfs:
        works[LFS] = pushing.by_lfs
    return works


def _dataset(scene: Scene, number: int) -> Dataset:
    facts = {"description": "", "licence": "consortium-only", "has_personal_data": False}
    return actions.create(scene.case, by=scene.person, title=f"Bestanden {number}", **facts)


def _lacking(works: dict[str, Callable[[int], None]]) -> str:
    lacking = [name for name in (DVC, LFS) if name not in works]
    return f"Not to be had here: {', '.join(lacking)}." if lacking else ""


def _beside(title: str, took: dict[str, Took], *, note: str, times: float) -> Table:
    rows = [(name, each.best_s, each.median_s, each.cpu_s) for name, each in took.items()]
    header = ("what", "best s", "median s", "least CPU s")
    if DVC not in took:
        return Table(title=title, header=header, rows=rows, note=note)
    faster = took[DVC].best_s / took[OURS].best_s
    said = f"Ours is {faster:.1f} times as fast as dvc add (goal: {times}). {note}".strip()
    return Table(title=title, header=header, rows=rows, note=said, ok=faster >= times)

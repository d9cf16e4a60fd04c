"""Many small files by the command people type, and the same command when nothing changed.

Ours sends over HTTP to a portal that proves every file, so that the bytes are in a second
place; dvc does that in two commands, of which the second copies to a folder on the same disk.
How fast files are taken in without a wire is told by the round `store`.
"""

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.data import peers
from bench.data.files import (
    ALONE,
    begin_dvc,
    begin_lfs,
    linked,
    run,
    settle,
    write_small,
)
from bench.data.rounds import Scene
from bench.data.turns import ROUNDS, Took, beside, in_turn
from bench.table import Table
from bench.visitors import key_for
from fabriek.datasets import actions
from fabriek.datasets.models import Dataset

MANY_TIMES, AGAIN_TIMES = 2, 5  # what we hold ourselves to
OURS, LFS = "fabriek data push, over HTTP", "git lfs: add, commit"
DVC, DVC_PUSHED = "dvc add, hard link", "dvc add, dvc push to a folder"


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

    @property
    def second_place(self) -> Path:
        return self.scene.folder / "second"

    def place(self, name: str) -> Path:
        return self.scene.folder / name.replace(" ", "-").replace(",", "").replace(":", "")

    def ready(self, name: str, _turn: int) -> None:
        """Begin each with an empty place, outside the clock."""
        if name == OURS:
            self.datasets.append(dataset_of(self.scene, len(self.datasets)))
            self._make_new()
        else:
            place = self.place(name)
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            linked(self.files, place / "small")
            if name == LFS:
                begin_lfs(place)
            elif self.dvc:
                begin_dvc(self.dvc, place, keeps="hardlink")
                shutil.rmtree(self.second_place, ignore_errors=True)
                self._dvc(place, "remote", "add", "-d", "there", str(self.second_place))
        settle()

    def _make_new(self) -> None:
        """Let each file begin with other bytes, so that it is known neither here nor there."""
        for path in self.ours_from.rglob("*.bin"):
            with path.open("r+b") as file:
                file.write(os.urandom(8))

    def ours(self, _turn: int) -> None:
        code = self.datasets[-1].code
        command = [str(Path(sys.executable).with_name("fabriek")), "data", "push", code]
        run([*command, str(self.ours_from)], self.scene.folder, environment=self.environment)
        settle()

    def by_dvc(self, _turn: int) -> None:
        self._dvc(self.place(DVC), "add", "small")
        settle()

    def by_dvc_pushed(self, _turn: int) -> None:
        for words in (("add", "small"), ("push",)):
            self._dvc(self.place(DVC_PUSHED), *words)
        settle()

    def _dvc(self, place: Path, *words: str) -> None:
        run([str(self.dvc), *words, "-q"], place, environment=self.environment)

    def by_lfs(self, _turn: int) -> None:
        place = self.place(LFS)
        run(["git", "add", "."], place)
        who = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"]
        run(["git", *who, "commit", "-q", "--allow-empty", "-m", "bench"], place)
        settle()


def measure(scene: Scene, *, small: bool) -> Sequence[Table]:
    pushing = Pushing(
        scene=scene,
        environment=environment_of(scene),
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
    pushed = beside(
        "Many small files pushed by a command (4 to 60 KiB)",
        first,
        ours=OURS,
        peer=DVC,
        times=MANY_TIMES,
    )
    cpu = "What the portal itself spends is not in the CPU."
    told = f"{pushed.note} {in_two_places(first)}{cpu} {_lacking(works)}"
    return [
        replace(pushed, note=told.strip()),
        beside(
            "The same command, nothing changed", again, ours=OURS, peer=DVC, times=AGAIN_TIMES
        ),
    ]


def environment_of(scene: Scene) -> dict[str, str]:
    """Let a command find the portal, as somebody who may push, with an index of its own."""
    told = {
        "FABRIEK_URL": scene.server.url,
        "FABRIEK_TOKEN": key_for(scene.person),
        "XDG_CACHE_HOME": str(scene.folder / "cache"),
    }
    return os.environ | told | ALONE


def in_two_places(took: Mapping[str, Took]) -> str:
    """Say how it stands beside dvc when that keeps the bytes in a second place as well."""
    if DVC_PUSHED not in took:
        return ""
    times = took[DVC_PUSHED].best_s / took[OURS].best_s
    return f"Beside {DVC_PUSHED}, {times:.1f} times: the other sends nothing. "


def _works(pushing: Pushing) -> dict[str, Callable[[int], None]]:
    works: dict[str, Callable[[int], None]] = {OURS: pushing.ours}
    if pushing.dvc:
        works |= {DVC: pushing.by_dvc, DVC_PUSHED: pushing.by_dvc_pushed}
    if pushing.has_lfs:
        works[LFS] = pushing.by_lfs
    return works


def dataset_of(scene: Scene, number: int) -> Dataset:
    facts = {"description": "", "licence": "consortium-only", "has_personal_data": False}
    return actions.create(scene.case, by=scene.person, title=f"Bestanden {number}", **facts)


def _lacking(works: dict[str, Callable[[int], None]]) -> str:
    return "" if LFS in works else f"{LFS}: not to be had here."

"""The store itself: one large file, many small ones, laying out for a run, reading again."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.data import peers
from bench.data.files import (
    begin_dvc,
    begin_lfs,
    linked,
    run,
    settle,
    write_large,
    write_small,
)
from bench.data.rounds import Scene
from bench.data.turns import beside, in_turn
from bench.table import Table
from fabriek.people.models import Organisation
from fabriek.store import actions, queries, scrub
from fabriek.store.models import Blob, Repository, Revision

LFS = "git lfs: git add"
LARGE_TIMES, MANY_TIMES, SCRUB_TIMES = 2, 2, 3  # what we hold ourselves to


@dataclass(kw_only=True, slots=True)
class Place:
    """Files to take in, and a place for what the peers make of them."""

    folder: Path
    dvc: Path | None
    revision: Revision | None = None
    made: list[int] = field(default_factory=list)

    has_lfs: bool = field(default_factory=lambda: shutil.which("git-lfs") is not None)

    @property
    def file(self) -> Path:
        return self.folder / "large.bin"

    @property
    def files(self) -> Path:
        return self.folder / "small"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def ready(self, name: str, _turn: int) -> None:
        """Clear what the last one left, outside the clock; for dvc begin a place of its own."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()
        if name.startswith("dvc"):
            keeps = "hardlink" if "hard link" in name else "copy"
            begin_dvc(self._dvc, self.work, keeps=keeps)
            if "many" in name:
                linked(self.files, self.work / "small")
            else:
                os.link(self.file, self.work / "large.bin")
        if name == LFS:
            begin_lfs(self.work)
            os.link(self.file, self.work / "large.bin")
        settle()

    def dvc_add(self, _turn: int) -> None:
        what = "small" if (self.work / "small").exists() else "large.bin"
        run([str(self._dvc), "add", what, "-q"], cwd=self.work)
        settle()

    def lfs_add(self, _turn: int) -> None:
        run(["git", "add", "large.bin"], cwd=self.work)
        settle()

    @property
    def _dvc(self) -> Path:
        if self.dvc is None:
            raise RuntimeError("dvc cannot be had here")
        return self.dvc

    def own_repository(self) -> Repository:
        """Make one of an organisation of its own: nothing of it is here yet."""
        number = f"{len(self.made):08d}"
        self.made.append(len(self.made))
        owner = Organisation.objects.create(
            name=f"Bench {number}", kvk_number=number, kind="sme"
        )
        return Repository.objects.create(kind="dataset", organisation=owner)


def measure(scene: Scene, *, small: bool) -> Sequence[Table]:
    place = Place(folder=scene.folder, dvc=peers.program("dvc", "dvc"))
    write_large(place.file, small=small)
    large = _large(place)
    again = _again(place)
    place.file.unlink()
    write_small(place.files, small=small)
    return [large, again, _many(place), _out(place)]


# --- one large file ------------------------------------------------------------------------
def _large(place: Place) -> Table:
    def receive(_turn: int) -> None:
        with place.file.open("rb") as file:
            actions.store_bytes(place.own_repository(), file, by=None)

    def copy(_turn: int) -> None:
        run(["cp", "--reflink=never", str(place.file), str(place.work / "copy")])
        run(["sync", str(place.work / "copy")])

    works = {"cp, then sync": copy, "ours: copied, SHA-256 and BLAKE3, fsync": receive}
    if place.dvc:
        works["dvc add, copy"] = place.dvc_add
    if place.has_lfs:
        works[LFS] = place.lfs_add
    took = in_turn(works, before=place.ready)
    return beside(
        f"One file of {place.file.stat().st_size / 2**20:,.0f} MiB taken in",
        took,
        ours="ours: copied, SHA-256 and BLAKE3, fsync",
        peer="dvc add, copy",
        times=LARGE_TIMES,
    )


def _again(place: Place) -> Table:
    """Read the last large file again that came in; its pages are in memory, as sha256sum's."""
    blob = Blob.objects.latest("pk")
    Blob.objects.exclude(pk=blob.pk).delete()

    def ours(_turn: int) -> None:
        scrub.begin(anew=True)
        if not scrub.Reader(is_stopped=lambda: False).read():
            raise RuntimeError("the round did not end")

    works = {
        "sha256sum": lambda _turn: run(["sha256sum", str(place.file)]),
        "openssl dgst -sha256": lambda _turn: run(
            ["openssl", "dgst", "-sha256", str(place.file)]
        ),
        "ours: scrub": ours,
    }

    def warm(_name: str, _turn: int) -> None:
        for path in (place.file, queries.the_store().path(blob)):
            run(["cat", str(path)])

    took = in_turn(works, before=warm)
    return beside("Read again", took, ours="ours: scrub", peer="sha256sum", times=SCRUB_TIMES)


# --- many small files ----------------------------------------------------------------------
def _many(place: Place) -> Table:
    def ours(_turn: int) -> None:
        repository = place.own_repository()
        blobs = actions.store_many(repository, _entries(place.files), by=None)
        place.revision = actions.commit(repository, blobs, message="bench", by=None)

    def copy(_turn: int) -> None:
        run(["cp", "-r", "--reflink=never", str(place.files), str(place.work / "copy")])
        settle()

    works = {"cp -r, then sync": copy, "ours: packs, hashed, fsync, a revision": ours}
    if place.dvc:
        works["dvc add many, hard link"] = place.dvc_add
    took = in_turn(works, before=place.ready)
    return beside(
        "Many small files taken in (4 to 60 KiB)",
        took,
        ours="ours: packs, hashed, fsync, a revision",
        peer="dvc add many, hard link",
        times=MANY_TIMES,
    )


def _out(place: Place) -> Table:
    revision = place.revision
    if revision is None:
        raise RuntimeError("nothing was taken in")
    works = {
        "cp -r": lambda _turn: run(["cp", "-r", str(place.files), str(place.work / "copy")]),
        "ours: laid out for a run, compared": lambda _turn: actions.materialise(
            revision, place.work / "inputs"
        ),
    }
    return beside("The same files laid out", in_turn(works, before=place.ready))


def _entries(folder: Path) -> Iterator[actions.Entry]:
    """Name each as our command line does: as words, since twenty thousand paths are dear."""
    for below, folders, names in os.walk(folder):
        folders.sort()
        front = os.path.relpath(below, folder)
        for name in sorted(names):
            with open(f"{below}/{name}", "rb", buffering=0) as file:  # noqa: PTH123
                size = os.fstat(file.fileno()).st_size
                yield actions.Entry(f"{front}/{name}", size, file)

"""Files to take in: one large, many small; of chance, so that nothing packs them smaller."""

import os
import random
import shutil
import subprocess
from pathlib import Path

FULL_BYTES, SMALL_BYTES = 4 * 2**30, 2**28
FULL_FILES, SMALL_FILES = 20_000, 1_250
LEAST_BYTES, MOST_BYTES = 4 * 2**10, 60 * 2**10
BLOCK = 2**20
LIMIT_S = 600
ALONE = {"DVC_NO_ANALYTICS": "1"}  # dvc tells nobody what it does


def write_large(path: Path, *, small: bool) -> None:
    with path.open("wb") as file:
        for _ in range((SMALL_BYTES if small else FULL_BYTES) // BLOCK):
            file.write(os.urandom(BLOCK))
        os.fsync(file.fileno())


def write_small(folder: Path, *, small: bool) -> None:
    chance = random.Random(7)
    for number in range(SMALL_FILES if small else FULL_FILES):
        path = folder / f"{number % 100:02d}" / f"{number:06d}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(chance.randint(LEAST_BYTES, MOST_BYTES)))
    settle()


def linked(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=os.link)


def begin_lfs(place: Path) -> None:
    """Make a repository of git that hands what ends in .bin to git-lfs."""
    for words in (["init", "-q"], ["lfs", "install", "--local"], ["lfs", "track", "*.bin"]):
        run(["git", *words], cwd=place)


def begin_dvc(dvc: Path, place: Path, *, keeps: str) -> None:
    """Make a place of dvc's own in which it keeps files by `keeps`: a copy, or a hardlink."""
    for words in (["init", "--no-scm"], ["config", "cache.type", keeps]):
        run([str(dvc), *words, "-q"], cwd=place, environment=os.environ | ALONE)


def settle() -> None:
    """Wait for the disk, so that nobody pays for what another left."""
    run(["sync", "-f", "."])


def run(
    command: list[str], cwd: Path | None = None, *, environment: dict[str, str] | None = None
) -> None:
    quiet = subprocess.DEVNULL
    subprocess.run(
        command,
        check=True,
        cwd=cwd,
        env=environment,
        stdout=quiet,
        stderr=quiet,
        timeout=LIMIT_S,
    )

"""Pack a folder of code: what git would send of it, and from which commit that is."""

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn
from urllib.parse import urlencode

import typer

from fabriek.cli import http, show

# Here only so that nobody packs a disk: how much the factory takes, it says itself.
FILES_MAX, SIZE_BYTES_MAX = 5_000, 2**30
CHUNK_BYTES = 2**20
LEFT_OUT = {".git", "__pycache__", ".venv", "node_modules", ".DS_Store", ".ipynb_checkpoints"}
SHOWN = 8
NAME_CHARACTERS = 80
FILE_MODE = 0o644


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """From which commit it comes; empty where there is none."""

    commit: str = ""
    has_changes: bool = False


def send(folder: Path, *, case: str, name: str, from_git: bool) -> str:
    """Pack and send a folder; give the reference of the revision that it is now."""
    if not folder.is_dir():
        _stop(f"There is no folder {folder}.")
    origin = _origin(folder, from_git=from_git)
    with tempfile.TemporaryFile() as packed:
        if from_git:
            _archive(folder, packed)
        else:
            _pack(folder, packed)
        size_bytes = packed.seek(0, 2)
        packed.seek(0)
        asked = {
            "case": case,
            "name": name or folder.resolve().name[:NAME_CHARACTERS],
            "commit": origin.commit,
            "has_changes": str(origin.has_changes).lower(),
            "is_plain": "true",
        }
        sent = http.post_stream(f"code/?{urlencode(asked)}", _chunks(packed), size_bytes)
    show.note(
        f"Sent as {sent['reference']}: {sent['files']} files, {show.size(sent['size_bytes'])}."
    )
    if origin.commit:
        more = ", with changes that are in no commit" if origin.has_changes else ""
        show.note(f"From commit {origin.commit[:12]}{more}.")
    return str(sent["reference"])


# --- which files -------------------------------------------------------------------------
def _pack(folder: Path, target: BinaryIO) -> None:
    names = sorted(_names(folder))
    files = [(name, _plain_file(folder, name)) for name in names]
    size_bytes = sum(path.stat().st_size for _name, path in files)
    if not files:
        _stop(f"There is no file to send in {folder}.")
    if len(files) > FILES_MAX or size_bytes > SIZE_BYTES_MAX:
        _stop(
            f"{folder} has {len(files)} files, {show.size(size_bytes)}: that is no code. Leave "
            "data out (fabriek data push), and name in .gitignore what is not to be sent."
        )
    show.note(f"{len(files)} files, {show.size(size_bytes)}: {_told(names)}")
    with tarfile.open(fileobj=target, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, path in files:
            entry = tarfile.TarInfo(name)
            with path.open("rb") as file:
                entry.size, entry.mode = os.fstat(file.fileno()).st_size, FILE_MODE
                archive.addfile(entry, file)


def _names(folder: Path) -> Iterator[str]:
    """Name what git would take: also where there is no repository, but a .gitignore."""
    if shutil.which("git") is None:
        if any(folder.rglob(".gitignore")):
            _stop(
                "There is a .gitignore here and no git to read it. Install git, and try again."
            )
        yield from _walked(folder)
        return
    listing = ("ls-files", "-z", "--others", "--exclude-standard")
    if _git(folder, "rev-parse", "--is-inside-work-tree") == "true":
        found = _git(folder, *listing, "--cached")
    else:
        with _no_repository(folder) as place:
            found = _git(folder, *place, *listing)
    for name in dict.fromkeys((found or "").split("\0")):
        is_left_out = not name or not LEFT_OUT.isdisjoint(name.split("/"))
        if not is_left_out and os.path.lexists(folder / name) and not _is_folder(folder / name):
            yield name


@contextmanager
def _no_repository(folder: Path) -> Iterator[tuple[str, ...]]:
    """Let git read a folder that is none of its own, without leaving anything there."""
    with tempfile.TemporaryDirectory() as place:
        _git(folder, "init", "--quiet", "--bare", place)
        yield (f"--git-dir={place}", f"--work-tree={folder.resolve()}")


def _walked(folder: Path) -> Iterator[str]:
    for at, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - LEFT_OUT)
        for name in sorted(set(files) - LEFT_OUT):
            yield (Path(at) / name).relative_to(folder).as_posix()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _plain_file(folder: Path, name: str) -> Path:
    """Give the file itself: a link is followed as long as it stays in the folder."""
    path = folder / name
    if path.is_symlink():
        aimed_at = path.resolve()
        if not aimed_at.is_relative_to(folder.resolve()) or not aimed_at.is_file():
            _stop(
                f"{name} is a link out of the folder, or to nothing. Put the file itself there."
            )
        return aimed_at
    if not path.is_file():
        _stop(f"{name} is no plain file. Leave it out, by a line in .gitignore.")
    return path


# --- git ---------------------------------------------------------------------------------
def _origin(folder: Path, *, from_git: bool) -> Origin:
    commit = _git(folder, "rev-parse", "--verify", "HEAD") if shutil.which("git") else None
    if not commit:
        if from_git:
            _stop(f"{folder} has no commit of git to send. Leave --git out, or commit first.")
        return Origin()
    changed = bool(_git(folder, "status", "--porcelain", "--", "."))
    if from_git and changed:
        show.note("What is not committed is not sent.")
    return Origin(commit=commit, has_changes=changed and not from_git)


def _archive(folder: Path, target: BinaryIO) -> None:
    words = ["git", "-C", str(folder), "archive", "--format=tar.gz", "HEAD"]
    if subprocess.run(words, stdout=target, check=False).returncode:
        _stop("git could not pack this folder; see above.")


def _git(folder: Path, *words: str) -> str | None:
    """Ask git; None where it says no."""
    done = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, check=False
    )
    return None if done.returncode else done.stdout.strip("\n")


# --- saying ------------------------------------------------------------------------------
def _told(names: list[str]) -> str:
    tops = list(dict.fromkeys(_top(name) for name in names))
    return ", ".join(tops[:SHOWN]) + (f" and {len(tops) - SHOWN} more" if tops[SHOWN:] else "")


def _top(name: str) -> str:
    top, slash, _rest = name.partition("/")
    return f"{top}{slash}"


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(CHUNK_BYTES):
        yield piece


def _stop(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(1)

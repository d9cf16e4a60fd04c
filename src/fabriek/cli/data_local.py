"""The files of this computer: found, named as a dataset names them, and hashed."""

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter
from pathlib import Path

import typer

from fabriek.cli import http
from fabriek.cli.data_index import Index, Local
from fabriek.cli.data_progress import Stopping

CHUNK_BYTES = 2**20
LARGE_BYTES = 8 * 2**20
READERS = min(4, os.cpu_count() or 1)

Files = dict[str, Local]
Told = Callable[[int], None]


def found(sources: list[Path]) -> Files:
    """Name each file, and never let one silently take the place of another."""
    files: Files = {}
    for source in sources:
        for name, file in _in(source):
            other = files.setdefault(name, file)
            if other.path != file.path:
                http.stop(
                    f"{other.path} and {file.path} would both be called {name}. "
                    "Push one folder."
                )
    return files


def hashed(files: Files, sources: Iterable[Path], index: Index, told: Told) -> dict[str, str]:
    """Give {name: SHA-256}; only what changed since last time is read."""
    known = index.known(files.values(), [str(source) for source in sources])
    told(sum(file.size_bytes for file in files.values() if file.path in known))
    read_at_ns = time.time_ns()
    new = [file for file in files.values() if file.path not in known]
    read = _read(new, told)
    if new:
        index.keep([(file, read[file.path]) for file in new], read_at_ns=read_at_ns)
    known |= read
    return {name: known[file.path] for name, file in files.items()}


def _read(files: list[Local], told: Told) -> dict[str, str]:
    """Give {path: SHA-256}; large files side by side, as hashing lets other threads go on."""
    large = [file.path for file in files if file.size_bytes >= LARGE_BYTES]
    small = [file.path for file in files if file.size_bytes < LARGE_BYTES]
    stopping = Stopping()
    watched = stopping.watched(told)
    with ThreadPoolExecutor(READERS) as pool:
        try:
            waiting = {path: pool.submit(sha256_of, path, watched) for path in large}
            found = {path: sha256_of(path, told) for path in small}
            return found | {path: each.result() for path, each in waiting.items()}
        except BaseException:
            stopping.ask()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def sha256_of(path: str, told: Told) -> str:
    digest = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  quicker by thousands
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                told(len(chunk))
    except OSError as error:
        http.stop(f"{path} cannot be read: {error.strerror}.")
    return digest.hexdigest()


def _in(source: Path) -> Iterator[tuple[str, Local]]:
    """Give each file its own name, or its path below a folder. Links in it stay out."""
    if source.is_file():
        yield source.name, Local.of(str(source), source.stat())
        return
    yield from _below(str(source), "")


def _below(folder: str, front: str) -> Iterator[tuple[str, Local]]:
    try:
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=attrgetter("name"))
    except OSError as error:
        http.stop(f"{folder} cannot be read: {error.strerror}.")
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _below(entry.path, f"{front}{entry.name}/")
        elif entry.is_file(follow_symlinks=False):
            yield front + entry.name, Local.of(entry.path, entry.stat(follow_symlinks=False))
        elif entry.is_symlink():
            typer.echo(f"{entry.path} is a link: left out.", err=True)

"""The files of this computer hashed: each is read once, and handed on while it is at hand."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count

from fabriek.cli.data_found import Files
from fabriek.cli.data_index import Index, Local
from fabriek.cli.data_progress import Stopping
from fabriek.cli.ends import stop

CHUNK_BYTES = 2**20
LARGE_BYTES = 8 * 2**20
SMALL_BYTES = 2**20  # what is smaller is read whole
READERS = min(4, cpu_count() or 1)

Told = Callable[[int], None]
# Given the name of a small file that was read, the file and its content.
Take = Callable[[str, Local, bytes], None]


def hashed(
    files: Files,
    sources: Iterable[str],
    index: Index,
    told: Told,
    take: Take | None = None,
) -> dict[str, str]:
    """Give {name: SHA-256}; only what changed since last time is read.

    What is small of that is for `take`, if there is one, and not hashed here.
    """
    known = index.known(files.values(), sources)
    told(sum(file.size_bytes for file in files.values() if file.path in known))
    read_at_ns = time.time_ns()
    new = {name: file for name, file in files.items() if file.path not in known}
    read: dict[str, str] = {}
    try:
        _read(new, read, told, take)
    finally:
        kept = ((new[name], sha256) for name, sha256 in read.items())
        index.keep(kept, read_at_ns=read_at_ns)
    found = ((name, read.get(name) or known.get(file.path)) for name, file in files.items())
    return {name: sha256 for name, sha256 in found if sha256}


def _read(
    files: Mapping[str, Local], read: dict[str, str], told: Told, take: Take | None
) -> None:
    """Put SHA-256s into `read`; large files side by side: hashing lets other threads go on."""
    stopping = Stopping()
    watched = stopping.watched(told)
    with ThreadPoolExecutor(READERS) as pool:
        try:
            waiting = {
                name: pool.submit(sha256_of, file.path, watched)
                for name, file in files.items()
                if file.size_bytes >= LARGE_BYTES
            }
            for name, file in files.items():
                if file.size_bytes < SMALL_BYTES:
                    content = content_of(file)
                    told(file.size_bytes)
                    if take:
                        take(name, file, content)
                    else:
                        read[name] = hashlib.sha256(content).hexdigest()
                elif name not in waiting:
                    read[name] = sha256_of(file.path, told)
            read |= {name: each.result() for name, each in waiting.items()}
        except BaseException:
            stopping.ask()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def content_of(file: Local) -> bytes:
    """Read a small file, which must still be as long as it was."""
    try:
        with open(file.path, "rb", buffering=0) as there:  # noqa: PTH123  quicker by thousands
            content = there.read(file.size_bytes + 1)
    except OSError as error:
        stop(f"{file.path} cannot be read: {error.strerror}.")
    if len(content) != file.size_bytes:
        stop(f"{file.path} changed while it was read. Run the command again.")
    return content


def sha256_of(path: str, told: Told) -> str:
    digest = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                told(len(chunk))
    except OSError as error:
        stop(f"{path} cannot be read: {error.strerror}.")
    return digest.hexdigest()

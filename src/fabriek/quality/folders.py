"""The folder of one errand, and the worker in it: laid out, started, watched, stopped.

    <LOOKS_HOME>/<key>/files/1, 2 ...   the revision's files, read-only, under numbers of ours
                       job.json         what is asked
                       laid             all of the above is there
                       pid, lock        the worker; it holds the lock as long as it lives
                       told/            the worker's: progress.json, reading.json, result.json
                       made/, tmp/      what it makes; nothing else may it write

Who lives is told by the lock, not by a number of a process that another may have by now: so a
loop that was killed finds its workers again.
"""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings

from fabriek.quality.models import Errand
from fabriek.quality.worker import confine
from fabriek.quality.worker.job import FILES, MADE, PROGRESS, READING, RESULT, clean
from fabriek.store.models import Blob
from fabriek.store.queries import the_store

ASKED, LAID, PID, LOCK = "job.json", "laid", "pid", "lock"
__all__ = ["FILES", "MADE", "PROGRESS", "READING", "RESULT"]  # the worker names these
MOST_TOLD_BYTES = 32 * 2**20
MOST_FILES = 50_000
KEY = re.compile(r"[0-9a-f]{32}")

Json = dict[str, Any]


def folder_of(errand: Errand) -> Path:
    return Path(settings.LOOKS_HOME) / errand.key


def lay(folder: Path, files: Mapping[str, Blob], asked: Json) -> None:
    """Put the files there without a copy where that is safe; may be repeated.

    A hard link is the store's own file: where the walls that keep the worker from changing it
    do not stand, it becomes a copy. Raises: StorageFull, OSError.
    """
    place = folder / FILES
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.parent.chmod(0o700)
    may_link = confine.can_keep_files()
    store, named = the_store(), []
    for number, (path, blob) in enumerate(sorted(files.items())[:MOST_FILES], start=1):
        store.materialise(blob, place / str(number))
        if not may_link:
            _set_apart(place / str(number))
        named.append({"path": path, "name": str(number), "size_bytes": blob.size_bytes})
    all_of_it = asked | {"files": named, "file_count": len(files)}
    (folder / ASKED).write_text(json.dumps(all_of_it))
    (folder / LAID).touch()


def _set_apart(at: Path) -> None:
    if at.stat().st_nlink < 2:  # noqa: PLR2004
        return
    part = at.with_suffix(".part")
    shutil.copyfile(at, part)
    part.replace(at)


def is_laid(folder: Path) -> bool:
    return (folder / LAID).exists()


def was_started(folder: Path) -> bool:
    return (folder / PID).exists()


def launch(folder: Path, *, secret: str = "") -> subprocess.Popen[str] | None:
    """Start the worker with an empty environment; nothing when one is at it already.

    The secret goes by a pipe: in no file, no argument, no environment.
    """
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    try:
        worker = subprocess.Popen(
            [sys.executable, "-I", "-B", "-m", "fabriek.quality.worker", str(folder)],
            cwd=folder,
            env={"LC_ALL": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            pass_fds=[lock],
            start_new_session=True,
        )
    finally:
        os.close(lock)
    (folder / PID).write_text(str(worker.pid))
    if worker.stdin:
        with suppress(OSError):
            worker.stdin.write(secret + "\n")
            worker.stdin.close()
    return worker


def is_alive(folder: Path) -> bool:
    try:
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def stop(folder: Path) -> None:
    """End the worker and all it started; one that does not hold its lock is let be."""
    if not is_alive(folder):
        return
    with suppress(OSError, ValueError):
        os.killpg(int((folder / PID).read_text()), signal.SIGKILL)


def told(folder: Path, name: str) -> Json | None:
    """Read what the worker wrote: plain JSON of a size that can be believed."""
    path = folder / name
    try:
        if path.is_symlink() or path.stat().st_size > MOST_TOLD_BYTES:
            return None
        # It may have been taken over by what it read: also NaN is no JSON for a database.
        found = clean(json.loads(path.read_text(), parse_constant=lambda _name: None))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def clear(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def there() -> list[str]:
    """Give the keys of all errands that have a folder, also those nobody knows any more."""
    try:
        return [path.name for path in Path(settings.LOOKS_HOME).iterdir()
                if KEY.fullmatch(path.name)]  # fmt: skip
    except FileNotFoundError:
        return []

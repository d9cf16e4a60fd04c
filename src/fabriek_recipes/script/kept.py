"""Which environments of own code are kept: those in use, and of the others what is not too old.

Each is a folder with a file `ready`, on which every run that works with it holds a lock.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

READY, GONE = "ready", ".gone-"
KEPT_DAYS, KEPT_MAX = 30, 10
# Where nothing tells what is in use: longer than a run takes.
KEPT_DAYS_WITHOUT_LOCKS = 8
DAY_S = 86_400


def tidy(home: Path) -> None:
    """Take away what no run used for a month, and the oldest of too many; never one in use."""
    for left in home.glob(f"{GONE}*"):  # by one that was killed at it
        shutil.rmtree(left, ignore_errors=True)
    ready = sorted(home.glob(f"*/{READY}"), key=_used_at, reverse=True)
    for place, one in enumerate(ready):
        if place >= KEPT_MAX or time.time() - _used_at(one) > KEPT_DAYS * DAY_S:
            _take_away(one)


def held(marker: Path) -> BinaryIO | None:
    """Keep an environment from being taken away while this is open; None: it just was."""
    try:
        file = marker.open("rb")
    except FileNotFoundError:
        return None
    with suppress(OSError):  # a file system without locks: `_is_free` knows
        fcntl.flock(file, fcntl.LOCK_SH)
    if _is_still(file, marker):
        return file
    file.close()
    return None


def _take_away(marker: Path) -> None:
    try:
        file = marker.open("r+b")  # over NFS only what is open for writing is locked alone
    except OSError:
        return
    gone = marker.parent.with_name(f"{GONE}{marker.parent.name}-{os.getpid()}")
    with file, suppress(OSError):
        if _is_free(file) and _is_still(file, marker):
            marker.parent.rename(gone)  # at once: half an environment would look whole
    shutil.rmtree(gone, ignore_errors=True)


def _is_free(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        age_s = time.time() - os.fstat(file.fileno()).st_mtime
        return age_s > KEPT_DAYS_WITHOUT_LOCKS * DAY_S
    return True


def _is_still(file: BinaryIO, path: Path) -> bool:
    """Tell whether what was opened still lies there."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def _used_at(marker: Path) -> float:
    try:
        return marker.stat().st_mtime
    except OSError:
        return 0.0

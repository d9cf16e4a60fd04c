"""A program behind walls that somebody waits for: its folder, its bounds, what it answers."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings
from django.utils.translation import gettext as _

from fabriek.kernel.errors import Refused
from fabriek.quality import folders
from fabriek.quality.folders import Json

# Somebody waits for the page: first counting stops, then the worker, then we stop the worker.
COUNT_S, WORK_S, WAIT_S = 8, 15, 20
MEMORY_BYTES = 2 * 2**30
ANSWER_BYTES_MAX = 8 * 2**20
ASK_AGAIN_S = 0.2
FOLDER, SLOT = ".seen-", ".slot-"


@contextmanager
def room(*, patience_s: float = 0.0) -> Iterator[Path]:
    """Give a folder for one worker. Raises: Refused, where too many are at it for so long."""
    home = Path(settings.LOOKS_HOME)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)
    _clear_old(home)
    with (
        slot(home, patience_s=patience_s),
        TemporaryDirectory(prefix=FOLDER, dir=home) as place,
    ):
        yield Path(place)


def limits() -> Json:
    return {
        "memory_bytes": min(MEMORY_BYTES, settings.LOOK_MEMORY_BYTES),
        "disk_bytes": settings.LOOK_DISK_BYTES,
        "cpu_s": 2 * WAIT_S,  # two threads
        "seconds": WORK_S,
        "count_s": COUNT_S,
    }


def answer(folder: Path) -> Json:
    """Let the worker do what was laid out for it; of one that says nothing, the `trouble`."""
    is_in_time = _run(folder)
    path = folder / folders.RESULT
    if path.is_file() and path.stat().st_size > ANSWER_BYTES_MAX:
        return {"trouble": "died"}
    told = folders.told(folder, folders.RESULT)
    if told is None:
        return {"trouble": "died" if is_in_time else "too_slow"}
    return told


def _run(folder: Path) -> bool:
    """Start the worker with an empty environment and wait; tell whether it ended in time."""
    worker = subprocess.Popen(
        [sys.executable, "-I", "-B", "-m", "fabriek.runs.worker", str(folder)],
        cwd=folder,
        env={"LC_ALL": "C.UTF-8", "RAYON_NUM_THREADS": "2", "TOKENIZERS_PARALLELISM": "true"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        worker.wait(timeout=WAIT_S)
    except subprocess.TimeoutExpired:
        return False
    else:
        return True
    finally:
        with suppress(OSError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


@contextmanager
def slot(home: Path, *, patience_s: float = 0.0) -> Iterator[None]:
    """Let no more at it than may look at data at once: each has memory of its own."""
    until = time.monotonic() + patience_s
    while True:
        for number in range(max(1, settings.LOOK_WORKERS)):
            with (home / f"{SLOT}{number}").open("w") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                yield
                return
        if time.monotonic() >= until:
            break
        time.sleep(ASK_AGAIN_S)
    raise Refused(
        _("Rows of others are being counted at this moment. Try again in half a minute."),
        code="busy_counting",
    )


def _clear_old(home: Path) -> None:
    """Clear what a killed process left: its links keep bytes that were removed."""
    before = time.time() - 10 * WAIT_S
    for left in home.glob(f"{FOLDER}*"):
        with suppress(OSError):
            if left.stat().st_mtime < before:
                shutil.rmtree(left, ignore_errors=True)

"""Rows as a model will read them, by a program behind walls that is waited for: seconds."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from django.conf import settings
from django.utils.translation import gettext as _
from pydantic import ValidationError

from fabriek.kernel.errors import Refused
from fabriek.quality import folders
from fabriek.runs.folders import still_coming
from fabriek.runs.seen_shapes import SeenIn
from fabriek.runs.worker.asked import MODEL_FILES, OF_DATA, OF_MODEL
from fabriek.store.models import Blob, Revision
from fabriek.store.queries import listing, the_store
from fabriek_recipes import texts

# Somebody waits for the page: first counting stops, then the worker, then we stop the worker.
COUNT_S, WORK_S, WAIT_S = 8, 15, 20
MEMORY_BYTES = 2 * 2**30
ANSWER_BYTES_MAX = 8 * 2**20
FOLDER, SLOT = ".seen-", ".slot-"

Json = folders.Json


def files_for(dataset: Revision, model: Revision) -> dict[str, Blob]:
    """Name what is laid out: the rows, and of the model only what makes text into tokens."""
    data = {
        f"{OF_DATA}{path}": blob
        for path, blob in listing(dataset).items()
        if path.endswith(".jsonl")
    }
    return data | {
        f"{OF_MODEL}{path}": blob
        for path, blob in listing(model).items()
        if path in MODEL_FILES
    }


def text_files_for(dataset: Revision, model: Revision | None) -> dict[str, Blob]:
    """Name the same for plain text; without a model, the text alone."""
    data = {
        f"{OF_DATA}{path}": blob
        for path, blob in listing(dataset).items()
        if texts.is_text(PurePosixPath(path))
    }
    of_model = listing(model) if model else {}
    return data | {
        f"{OF_MODEL}{path}": blob for path, blob in of_model.items() if path in MODEL_FILES
    }


def look(files: Mapping[str, Blob], asked: Json) -> SeenIn:
    """Let the worker do what `asked` says; whatever becomes of it is an answer.

    Raises:
        Refused: too many are at it now, or the bytes are still being brought near.
        StorageFull: they cannot be laid out.
    """
    brought = the_store().bring(list(files.values()))
    if not brought.is_ready:
        raise still_coming(brought)
    home = Path(settings.LOOKS_HOME)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    _clear_old(home)
    with slot(home), TemporaryDirectory(prefix=FOLDER, dir=home) as place:
        folder = Path(place)
        folders.lay(folder, files, _limits() | asked)
        return _answer(folder, is_in_time=_run(folder))


def _limits() -> Json:
    return {
        "memory_bytes": min(MEMORY_BYTES, settings.LOOK_MEMORY_BYTES),
        "disk_bytes": settings.LOOK_DISK_BYTES,
        "cpu_s": 2 * WAIT_S,  # two threads
        "seconds": WORK_S,
        "count_s": COUNT_S,
    }


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


def _answer(folder: Path, *, is_in_time: bool) -> SeenIn:
    path = folder / folders.RESULT
    if path.is_file() and path.stat().st_size > ANSWER_BYTES_MAX:
        return SeenIn(trouble="died")
    told = folders.told(folder, folders.RESULT)
    if told is None:
        return SeenIn(trouble="died" if is_in_time else "too_slow")
    try:
        return SeenIn.model_validate(told)
    except ValidationError:
        return SeenIn(trouble="died")


@contextmanager
def slot(home: Path) -> Iterator[None]:
    """Let no more at it than may look at data at once: each has memory of its own."""
    for number in range(max(1, settings.LOOK_WORKERS)):
        with (home / f"{SLOT}{number}").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield
            return
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

"""A program behind walls that somebody waits for: its bounds, and what it answers."""

import subprocess
import sys
from pathlib import Path

from django.conf import settings

from fabriek.quality import folders
from fabriek.quality.folders import Json
from fabriek.quality.room import ends_within

# Somebody waits for the page: first counting stops, then the worker, then we stop the worker.
COUNT_S, WORK_S, WAIT_S = 8, 15, 20
MEMORY_BYTES = 2 * 2**30
ANSWER_BYTES_MAX = 8 * 2**20


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
    return ends_within(worker, WAIT_S)

"""Who is next: buries jobs whose supervisor died and starts waiting ones when GPUs are free."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fabriek.engines.base import Job, Phase, Reason, Sighting
from fabriek.engines.local_home import Home, key_of, vanished
from fabriek.engines.local_proc import boot_id, kill_marked

PATH = "/usr/local/bin:/usr/bin:/bin"
LANG = "C.UTF-8"


@dataclass(frozen=True, kw_only=True, slots=True)
class Knobs:
    """How many GPUs there are, the time between SIGTERM and SIGKILL, and between heartbeats."""

    gpus: int
    grace_s: float = 10.0
    beat_s: float = 1.0


def tend(home: Home, knobs: Knobs) -> list[str]:
    """Put right what can be put right, and give the keys that still wait, the next one first.

    Needs the desk; costs little when nothing changed.
    """
    # The dead first: what is left of them may still be using the GPUs they had.
    for entry in home.entries("live"):
        _bury_if_dead(home, entry)
    waiting = home.entries("queue")
    if not waiting:
        return []
    free = home.free_slots(knobs.gpus)
    try:
        for place, entry in enumerate(waiting):
            if not _take_up(home, knobs, entry, free):
                return [key_of(one) for one in waiting[place:]]
    finally:
        for lock in free.values():
            os.close(lock)
    return []


def is_waiting(home: Home, key: str) -> bool:
    """Whether nobody has begun to start it. Needs the desk."""
    lock = home.try_lock_job(key)
    if lock is None:
        return False
    os.close(lock)
    return home.start(key) is None


def _bury_if_dead(home: Home, entry: Path) -> None:
    key = key_of(entry)
    if not home.knows(key):  # somebody deleted it by hand
        entry.unlink(missing_ok=True)
        return
    lock = home.try_lock_job(key)
    if lock is None:
        return
    try:
        _bury(home, home.job(key))
    finally:
        os.close(lock)


def _bury(home: Home, job: Job) -> None:
    start = home.start(job.key)
    if start and not home.has_ended(job.key) and start.boot == boot_id():
        kill_marked(f"FABRIEK_MARK={start.mark}")
    elapsed_s = home.last_beat_s(job.key)
    if start:
        home.ended(job, vanished(start, elapsed_s))


def _take_up(home: Home, knobs: Knobs, entry: Path, free: dict[int, int]) -> bool:
    """Start the job if it fits. False: it must wait, and so must all that came after it."""
    key = key_of(entry)
    if not home.knows(key):  # the submitter died between the place and the job
        entry.unlink(missing_ok=True)
        return True
    lock = home.try_lock_job(key)
    if lock is None:  # its supervisor is on its way
        return True
    try:
        job = home.job(key)
        if home.start(key) or home.has_ended(key):  # somebody died half-way through the move
            _settle(home, job)
        elif job.gpus > knobs.gpus:
            home.ended(job, Sighting(Phase.FAILED, 0, Reason.NO_ROOM, ended_at=time.time()))
        elif job.gpus > len(free):
            return False
        else:
            slots = sorted(free)[: job.gpus]
            _launch(home, knobs, key, lock, [(slot, free.pop(slot)) for slot in slots])
    finally:
        os.close(lock)
    return True


def _settle(home: Home, job: Job) -> None:
    seen = home.end(job.key)
    if seen:
        home.ended(job, seen)
    else:
        _bury(home, job)


def _launch(
    home: Home, knobs: Knobs, key: str, lock: int, slots: Sequence[tuple[int, int]]
) -> None:
    """Hand the locks to a supervisor that is nobody's child.

    It inherits them locked, so there is no moment in which the job looks dead or its GPUs free.
    The shell is there to be gone at once: then init adopts the supervisor, which outlives us
    and never becomes our zombie.
    """
    locks = [handle for _, handle in slots]
    supervisor = [sys.executable, "-S", "-P", "-m", "fabriek.engines.local_job"]
    numbers = [f"{slot}:{handle}" for slot, handle in sorted(slots)]
    said = [str(knobs.gpus), str(knobs.grace_s), str(knobs.beat_s)]
    arguments = [str(home.root), key, *said, str(lock), *numbers]
    try:
        with (home.folder(key) / "trouble").open("ab") as trouble:
            subprocess.run(
                ["/bin/sh", "-c", '"$@" &', "sh", *supervisor, *arguments],
                check=True,
                cwd="/",
                env={
                    "PATH": PATH,
                    "LANG": LANG,
                    "PYTHONPATH": str(Path(__file__).parents[2]),
                },
                pass_fds=[lock, *locks],
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=trouble,
            )
    finally:
        for handle in locks:
            os.close(handle)

"""Sees from beside the loop that a step does not end: says where it hangs, then ends the run.

A step that waits for a disk or for another process cannot tell that itself, nor can a look at
rows kept apart. Nothing here looks at what is learned: a run that is watched ends the same to
the bit.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import FrameType

from fabriek_recipes.training.group import FAILED, End
from fabriek_recipes.training.process import LOG, Job, K
from fabriek_recipes.words import Failed, Sentence, _

# The first steps make room and compile, and tell nothing of those that follow. A look is longer
# than that in its parts only where it hangs.
STEPS_KNOWN, STEPS_KEPT = 3, 50
STALLED = "stalled"
now_s = time.monotonic


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a step may take: so many times as long as usual, and at least so long.

    After `warn` it is told, after `end` the run is ended; `grace_s` is what it then gets to
    end by itself. A busy shared disk makes steps slow for minutes: no reason to end.
    """

    warn_times: float = 20
    warn_s: float = 120
    end_times: float = 60
    end_s: float = 900
    grace_s: float = 30
    look_every_s: float = 2

    def warns_after(self, usual_s: float) -> float:
        """Give the seconds after which it is told."""
        return max(self.warn_s, self.warn_times * usual_s)

    def ends_after(self, usual_s: float) -> float:
        """Give the seconds after which the run is ended."""
        return max(self.end_s, self.end_times * usual_s)


PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of work that hangs: while it may still go on, and when it was ended."""

    hangs: str
    ended: str


STEP = Said(
    _(
        "Step %(step)s takes %(took)s s already, where a step took %(usual)s s; it hangs "
        "at %(where)s. The run is ended if that lasts for %(ends)s s."
    ),
    _(
        "Step %(step)s did not end in %(took)s s, where a step took %(usual)s s; it hung "
        "at %(where)s, so the run was ended. A disk or another process did not answer: "
        "continue from the last checkpoint."
    ),
)
LOOK = Said(
    _(
        "The look at rows kept apart after step %(step)s does not get on for %(took)s s "
        "already, where a part of it or a step took %(usual)s s; it hangs at %(where)s. The "
        "run is ended if that lasts for %(ends)s s."
    ),
    _(
        "The look at rows kept apart after step %(step)s did not get on in %(took)s s, where a "
        "part of it or a step took %(usual)s s; it hung at %(where)s, so the run was ended. A "
        "disk or another process did not answer: continue from the last checkpoint."
    ),
)


class Watchdog:
    """Watches the steps of one process, and the parts of its looks.

    `started_at` is when the present step or part began. A look is much longer than a step, but
    a part of it is not: it may take as long as a step may, or a part that went before.
    """

    def __init__(self, job: Job[K]) -> None:
        """Prepare; it begins to watch with `watching`."""
        self._events, self._group, self._patience = job.events, job.group, PATIENCE
        self._took: deque[float] = deque(maxlen=STEPS_KEPT)
        self._parts_took: deque[float] = deque(maxlen=STEPS_KEPT)
        self._step, self._started_at, self._said = 0, 0.0, STEP
        self._worker = threading.get_ident()
        self._over = threading.Event()
        self._failed: Failed | None = None
        self._told: tuple[Said, int] | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch for as long as this lasts; only the main thread can be ended."""
        before = signal.signal(signal.SIGUSR2, self._end_here)
        threading.Thread(target=self._watch, daemon=True).start()
        try:
            yield
        finally:
            self._over.set()
            signal.signal(signal.SIGUSR2, before)

    @contextmanager
    def step(self, number: int) -> Iterator[None]:
        """Let the work of a step be done in here."""
        self._step, self._said, self._started_at = number, STEP, now_s()
        try:
            yield
        finally:
            self._took.append(now_s() - self._started_at)
            self._started_at = 0.0

    @contextmanager
    def look(self, number: int) -> Iterator[None]:
        """Let a look after this step be done in here; who looks says `get_on` as it goes."""
        self._step, self._said, self._started_at = number, LOOK, now_s()
        try:
            yield
        finally:
            self._started_at = 0.0

    def get_on(self) -> None:
        """Note that a part of the look was done; the next is watched anew."""
        now = now_s()
        self._parts_took.append(now - self._started_at)
        self._started_at = now

    def _watch(self) -> None:
        while not self._over.wait(self._patience.look_every_s):
            started_at, said = self._started_at, (self._said, self._step)
            is_known = len(self._took) >= STEPS_KNOWN
            if not started_at or not (is_known or said[0] is LOOK):
                continue
            took, usual = now_s() - started_at, self._usual_s()
            if took > self._patience.ends_after(usual):
                self._end(took, usual)
                return
            if is_known and took > self._patience.warns_after(usual) and self._told != said:
                self._told = said
                self._warn(took, usual)

    def _usual_s(self) -> float:
        step_s = median(self._took or [0.0])  # a run that goes on may begin with a look
        if self._said is STEP or not self._parts_took:
            return step_s
        return max(step_s, median(self._parts_took))

    def _warn(self, took: float, usual: float) -> None:
        """Say it once a step or look; the log shows what every thread does."""
        said = Sentence(self._said.hangs, **self._facts(took, usual))
        sys.stderr.flush()
        with suppress(OSError, ValueError):
            os.write(LOG, f"{STALLED}: {said}\n".encode())
            faulthandler.dump_traceback(file=LOG, all_threads=True)
        with suppress(OSError):
            self._events.warning(STALLED, said)

    def _end(self, took: float, usual: float) -> None:
        """End in the main thread, where all is put in order, or else from here."""
        facts = self._facts(took, usual)
        facts.pop("ends")
        self._failed = Failed(STALLED, self._said.ended, **facts)
        signal.pthread_kill(self._worker, signal.SIGUSR2)
        if not self._over.wait(self._patience.grace_s):
            # It is stuck outside of Python, and hears nothing.
            os._exit(self._group.part(End(FAILED, self._failed)))

    def _end_here(self, _number: int, _frame: FrameType | None) -> None:
        if self._failed and self._started_at:
            raise self._failed

    def _facts(self, took: float, usual: float) -> dict[str, str | float]:
        return {
            "step": self._step,
            "took": round(took),
            "usual": round(usual, 1),
            "where": self._where(),
            "ends": round(self._patience.ends_after(usual)),
        }

    def _where(self) -> str:
        """Name the place in the program where the main thread is."""
        frame = sys._current_frames().get(self._worker)  # noqa: SLF001  # has no public name
        if frame is None:
            return "?"
        code = frame.f_code
        return f"{Path(code.co_filename).name}:{frame.f_lineno} ({code.co_name})"

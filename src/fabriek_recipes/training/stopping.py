"""What signals ask of a run: to save and stop, or to save and go on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

# A site that requeues sends SIGUSR1 some minutes before the end, and wants the place back.
STOP_AFTER_SIGNAL = "FABRIEK_STOP_AFTER_SIGNAL"


class Stopped(BaseException):
    """The engine asked us to stop, and what was learned is saved; nothing may catch this."""


@dataclass(slots=True)
class Stop:
    """Whether SIGTERM came (`asked`), and whether SIGUSR1 did (`save_asked`)."""

    asked: bool = False
    save_asked: bool = False

    def check(self) -> None:
        """Stop here if asked to; for work that has nothing to save."""
        if self.asked:
            raise Stopped

    def take_save(self) -> bool:
        """Tell whether a checkpoint is asked for, and take that as heard."""
        heard, self.save_asked = self.save_asked, False
        return heard


@contextmanager
def listening() -> Iterator[Stop]:
    """Hear signals for as long as the work goes on."""
    stop = Stop()
    ends = os.environ.get(STOP_AFTER_SIGNAL) == "1"

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.asked = True

    def save(_number: int, _frame: FrameType | None) -> None:
        stop.save_asked = True

    before = {
        signal.SIGTERM: signal.signal(signal.SIGTERM, ask),
        signal.SIGUSR1: signal.signal(signal.SIGUSR1, ask if ends else save),
    }
    # Our torchrun holds a signal back until somebody listens.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, before)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""The loop: what the factory does by itself, a pass at a time, until it is told to stop.

Each part is contained: one that fails is logged and tried again at the next pass.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from django.conf import settings
from django.db import close_old_connections

from fabriek.notices import post
from fabriek.registry import collect
from fabriek.runs import engine, reconcile

log = logging.getLogger(__name__)


def one_pass() -> None:
    for part in (follow_runs, collect.tick, post.tick):
        _contained(part)


def follow_runs() -> None:
    reconcile.tick(engine.engine())


def forever(*, parent: int | None = None) -> None:
    """Pass after pass, until SIGTERM or SIGINT; or until the process `parent` is gone."""
    stop = threading.Event()

    def ask_to_stop(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    while not stop.is_set():
        if parent is not None and os.getppid() != parent:
            return
        one_pass()
        stop.wait(settings.LOOP_PAUSE_S)


def _contained(part: Callable[[], None]) -> None:
    close_old_connections()
    try:
        part()
    except Exception:
        log.exception("A part of the loop failed; it is tried again at the next pass.")

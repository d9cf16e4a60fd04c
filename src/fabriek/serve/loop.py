"""The loop: what the factory does by itself, a pass at a time, until it is told to stop.

Each part is contained: one that fails is logged and tried again at the next pass.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from types import FrameType

from django.conf import settings
from django.db import close_old_connections, connection
from django.utils import timezone

from fabriek.agreements import decision_heads
from fabriek.catalogue import gather
from fabriek.datasets import resumable
from fabriek.hub import xet_sweep
from fabriek.machine import books, nightly, standing
from fabriek.notices import post
from fabriek.quality import follow as looks
from fabriek.registry import collect, signing_keep, telling
from fabriek.runs import ended_agreements, engine, reconcile, saving
from fabriek.store import actions as store
from fabriek.store import scrub
from fabriek.sweeps import stepping
from fabriek.tracking import sweeping as run_files
from fabriek.trying import following as trying

log = logging.getLogger(__name__)

SCRUB_ENDS_WITHIN_S = 5  # one piece of a file, once it is told to stop
SWEEP_EVERY_S = 24 * 3600
SCRUB_PAUSE_S = 20
SCRUB_SLICE_S = 20


def one_pass() -> None:
    made = (saving.tick, collect.tick, signing_keep.tick)
    # Its pace first: it is measured while nothing runs.
    parts = (engine.measure_pace, follow_runs, stepping.tick, look_at_machine, draw_books)
    told = (trying.tick, gather.tick, telling.tick, post.tick)
    for part in (ended_agreements.tick, looks.tick, *parts, *made, *told):
        _contained(part)


def follow_runs() -> None:
    reconcile.tick(engine.engine())


def look_at_machine() -> None:
    standing.keep(engine.engine())


def draw_books() -> None:
    """Draw the machine's accounting into ours, and hold it against the ledger by night."""
    machine = engine.engine()
    if books.tick(machine):
        nightly.tick(machine)


def sweep() -> None:
    """Do what is due once a day: remove bytes never used, note how far decisions came.

    Each apart: what one of them stumbles over must not let a disk run full for the others.
    """
    now = timezone.now()
    parts = (resumable.sweep, sweep_store, xet_sweep.sweep, run_files.sweep)
    for part in (decision_heads.note, *(partial(one, now) for one in parts)):
        _survived(part)


def sweep_store(now: datetime) -> None:
    swept = store.sweep(now)
    log.info("Swept %s files (%s bytes) from the store.", swept.blobs, swept.size_bytes)


def scrub_beside(stop: threading.Event) -> None:
    """Read the store again, a slice at a time, in a thread of its own: no pass waits for it.

    Reading and hashing let go of the interpreter, so that a thread is enough.
    """
    while not stop.wait(SCRUB_PAUSE_S):
        _contained(partial(scrub_slice, stop))
    connection.close()


def scrub_slice(stop: threading.Event) -> None:
    until = time.monotonic() + SCRUB_SLICE_S
    reader = scrub.Reader(
        is_stopped=stop.is_set,
        is_over=lambda: time.monotonic() > until,
        bytes_per_s=settings.SCRUB_BYTES_PER_S,
    )
    if scrub.is_due(timezone.now()):
        scrub.begin()
        reader.read()
    else:
        reader.read_suspected()


def forever(*, parent: int | None = None) -> None:
    """Pass after pass, until SIGTERM or SIGINT; or until the process `parent` is gone."""
    stop = threading.Event()

    def ask_to_stop(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    beside = threading.Thread(target=scrub_beside, args=[stop], daemon=True, name="scrub")
    beside.start()
    try:
        _pass_after_pass(stop, parent)
    finally:
        stop.set()
        beside.join(SCRUB_ENDS_WITHIN_S)


def _pass_after_pass(stop: threading.Event, parent: int | None) -> None:
    swept_at = None
    while not stop.is_set():
        if parent is not None and os.getppid() != parent:
            return
        one_pass()
        if swept_at is None or time.monotonic() - swept_at > SWEEP_EVERY_S:
            swept_at = time.monotonic()
            _contained(sweep)
        stop.wait(settings.LOOP_PAUSE_S)


def _contained(part: Callable[[], object]) -> None:
    close_old_connections()
    _survived(part)


def _survived(part: Callable[[], object]) -> None:
    try:
        part()
    except Exception:
        log.exception("A part of the loop failed; it is tried again at its next turn.")
        if not connection.in_atomic_block:
            close_old_connections()  # it may have been the database that went away

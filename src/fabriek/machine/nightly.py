"""Once a night: draw the last days again, and make every bill what the machine counted."""

import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from fabriek.engines.base import Engine, EngineDown
from fabriek.machine import books, drift, stretches
from fabriek.machine.models import Books
from fabriek.runs import actions as runs
from fabriek.runs.models import Run

log = logging.getLogger(__name__)

# What the accounting told so late that the poller missed it; by hand one may go farther back.
DRAWS_AGAIN = timedelta(days=3)
NOTE = "The machine's accounting counted otherwise."


@dataclass(frozen=True, kw_only=True, slots=True)
class Night:
    """What came of it: lines that were missed before, and bills that were corrected."""

    found_late: int
    corrected: int


def tick(engine: Engine) -> None:
    """Reconcile when the hour has come, once a night, whoever else runs a loop."""
    now = timezone.now()
    night, before = night_of(now), books.the_books().reconciled_on
    if not _claim(night):
        return
    try:
        done = reconcile(engine, now)
    except EngineDown as silence:
        # Tried again by the next pass that finds the machine answering.
        Books.objects.filter(pk=1, reconciled_on=night).update(reconciled_on=before)
        log.warning("The night's reconciliation waits for the machine. %s", silence)
        return
    # In its first night a factory finds all that was before it.
    if done.corrected or (done.found_late and before):
        log.warning("By night: %s lines came late, %s bills were corrected.", *_figures(done))


def reconcile(engine: Engine, now: datetime, *, again: timedelta = DRAWS_AGAIN) -> Night:
    """Draw the last days again, bill what was missed, and correct bills. Safe to repeat.

    Raises: EngineDown.
    """
    found_late = 0
    for since, until in books.windows(now - again, now):
        found_late += books.draw_window(engine, since, until)
    stretches.link_late()
    books.charge_around()
    corrected = _correct(now, since=now - max(again, drift.LOOKS_BACK))
    Books.objects.filter(pk=1).update(reconciled_at=now)
    return Night(found_late=found_late, corrected=corrected)


def night_of(now: datetime) -> date:
    """Name the night whose hour came last, by the day on which it came."""
    return (timezone.localtime(now) - timedelta(hours=settings.RECONCILE_HOUR)).date()


def _correct(now: datetime, *, since: datetime) -> int:
    differences = drift.differing(since, now)
    for one in differences:
        # Made only while it differs: the key keeps the lines of one day apart.
        key = f"night-{timezone.localdate(now)}-{one.told}"
        run = Run.objects.select_related("allocation").get(pk=one.run)
        runs.correct_bill(run, gpu_seconds_used=one.told, key=key, note=NOTE)
    return len(differences)


def _claim(night: date) -> bool:
    due = Books.objects.filter(Q(reconciled_on=None) | Q(reconciled_on__lt=night), pk=1)
    return bool(due.update(reconciled_on=night))


def _figures(done: Night) -> tuple[int, int]:
    return done.found_late, done.corrected

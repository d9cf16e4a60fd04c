"""Make the database agree with the engine, a little at a time, for ever.

Each pass asks the engine once about all living runs, outside any transaction, and then
applies what it learned run by run. Every step is guarded and every engine call may be
repeated, so a pass can be interrupted anywhere (kill -9), and two of them may run at once.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from fabriek.allocations import actions as allocations
from fabriek.allocations import queries as allocation_queries
from fabriek.engines.base import Engine, EngineDown, JobRejected, Phase, Sighting
from fabriek.kernel.errors import StorageFull, WrongState
from fabriek.runs import folders, jobs, reasons, tail
from fabriek.runs.models import Run
from fabriek.runs.states import ALIVE, RUN, RunState

log = logging.getLogger(__name__)

CLAIM = timedelta(minutes=1)
SILENCE_BEFORE_LOST = timedelta(minutes=30)
# How long after it was lost a run may still turn up in the accounting.
LOST_AND_FOUND = timedelta(days=30)
# Every start moves all places. To write down 5,000 takes `bulk_update` 2.4 s on SQLite, this
# 0.1 s (0.5 s on PostgreSQL). A run that another pass moved meanwhile is left alone.
KEEP_WAITING = """
    UPDATE runs_run
    SET queue_position = CAST(told.column3 AS integer), waiting_reason = told.column4
    FROM (VALUES {rows}) AS told
    WHERE told.column1 = runs_run.id AND told.column2 = runs_run.state
"""
ROWS_A_STATEMENT = 5_000  # SQLite takes 32,766 values
STEP_FOR = {
    Phase.RUNNING: "start",
    Phase.SUCCEEDED: "succeed",
    Phase.FAILED: "fail",
    Phase.CANCELLED: "stop",
}


def tick(engine: Engine) -> None:
    """Make one pass: tell budgets, send what waits, follow what lives."""
    allocations.expire_ended()
    try:
        tell_budgets(engine)
        send_waiting(engine)
        follow_living(engine)
    except EngineDown as silence:
        log.warning("The engine does not answer; nothing is concluded. %s", silence)


def tell_budgets(engine: Engine) -> None:
    """Project our ledger onto the engine; what was told is remembered only afterwards."""
    today = timezone.localdate()
    for allocation in allocation_queries.untold():
        if allocation.is_open_on(today):
            engine.open_budget(allocation.account, allocation.gpu_seconds_granted)
        else:
            engine.close_budget(allocation.account)
        allocations.note_told(allocation, today)


def send_waiting(engine: Engine) -> None:
    waiting = Run.objects.filter(state=RunState.WAITING).select_related(
        "allocation", "case", "continues"
    )
    for run in waiting.order_by("asked_at"):
        with _contained(run):
            if _claim(run):
                _send(engine, run)


def follow_living(engine: Engine) -> None:
    """Look at all living runs in one call, and at lost ones that may still turn up."""
    recent = timezone.now() - LOST_AND_FOUND
    rows = Run.objects.filter(
        Q(state__in=ALIVE) | Q(state=RunState.LOST, last_seen_at__gt=recent)
    ).select_related("allocation", "case")
    rows = rows.defer("knobs", "scores", "failure", "warnings")
    followed = {run.key: run for run in rows}
    if not followed:
        return
    for run in followed.values():
        if run.cancel_asked_at and run.state in ALIVE:
            engine.cancel(run.key)
    sightings = engine.look(followed.keys())
    _remember(followed, sightings)
    _remember_waiting(followed, sightings)
    for key, run in followed.items():
        with _contained(run):
            _follow(run, sightings.get(key))


def _send(engine: Engine, run: Run) -> None:
    if run.cancel_asked_at:
        _call_off(engine, run)
        return
    try:
        folders.prepare(run)
    except folders.Busy:
        return
    except (OSError, StorageFull):
        log.exception("%s could not be made ready.", run)
        _advance(run, "fail", Sighting(Phase.FAILED, reason="not_ready"))
        return
    try:
        engine.submit(jobs.job_of(run))
    except JobRejected as rejection:
        log.warning("The engine rejects %s: %s", run, rejection)
        _advance(run, "fail", Sighting(Phase.FAILED, reason=rejection.code))
    else:
        _advance(run, "enqueue", Sighting(Phase.QUEUED))


def _call_off(engine: Engine, run: Run) -> None:
    """Cancel a run that was not sent; one that a pass sent before it died is followed first."""
    if folders.is_ready(run) and engine.look([run.key]):
        _advance(run, "enqueue", Sighting(Phase.QUEUED))
    else:
        _advance(run, "cancel", Sighting(Phase.CANCELLED, reason="cancelled"))


def _remember(followed: dict[str, Run], sightings: dict[str, Sighting]) -> None:
    """Keep who was mentioned and how long each has run: two statements for any number.

    A run which is lost later is billed for what it was seen to use.
    """
    Run.objects.filter(key__in=sightings.keys()).update(last_seen_at=timezone.now())
    grown = []
    for key, seen in sightings.items():
        run = followed[key]
        if run.state in ALIVE and not seen.phase.is_final and seen.elapsed_s > run.elapsed_s:
            run.elapsed_s = seen.elapsed_s
            grown.append(run)
    if grown:
        Run.objects.filter(state__in=ALIVE).bulk_update(grown, ["elapsed_s"])


def _remember_waiting(followed: dict[str, Run], sightings: dict[str, Sighting]) -> None:
    """Keep what the engine says of runs that wait: one statement, if any of it changed.

    A job that the engine starts again waits although its run has started.
    """
    changed = []
    for key, seen in sightings.items():
        run = followed[key]
        told = _waits(run, seen)
        if told is not None and told != (run.queue_position, run.waiting_reason):
            run.queue_position, run.waiting_reason = told
            changed.append((run.pk, run.state, *told))
    for start in range(0, len(changed), ROWS_A_STATEMENT):
        rows = changed[start : start + ROWS_A_STATEMENT]
        places = ", ".join(["(%s, %s, %s, %s)"] * len(rows))
        with connection.cursor() as cursor:
            cursor.execute(KEEP_WAITING.format(rows=places), [*chain.from_iterable(rows)])


def _waits(run: Run, seen: Sighting) -> tuple[int | None, str] | None:
    """Tell its place and why it waits, (None, "") when it does not; None: nothing to keep."""
    if run.state in ALIVE and seen.phase is Phase.QUEUED:
        return seen.queue_position, reasons.plain(seen.reason)
    if run.state == RunState.RUNNING and seen.phase is Phase.RUNNING:
        return None, ""
    return None  # a step that is about to be taken empties it, or nothing may be concluded


def _follow(run: Run, seen: Sighting | None) -> None:
    if seen is None:
        silent = timezone.now() - run.last_seen_at > SILENCE_BEFORE_LOST
        if silent and run.state in ALIVE:
            lost = Sighting(Phase.UNKNOWN, elapsed_s=run.elapsed_s, reason="silent")
            _advance(run, "lose", lost)
        return
    all_read = _caught_up(run)
    step = STEP_FOR.get(seen.phase)
    if seen.phase.is_final and not all_read:
        return  # the end would close the book on events that were not read yet
    if step and step in RUN.open_from(run.state):
        _advance(run, step, seen)


def _caught_up(run: Run) -> bool:
    """Read the events; what cannot be read must not keep a run from ending."""
    try:
        return tail.catch_up(run)
    except Exception:
        log.exception("The events of %s cannot be read.", run)
        return True


@contextmanager
def _contained(run: Run) -> Iterator[None]:
    """One run that cannot be handled must not stop the others."""
    try:
        yield
    except EngineDown:
        raise
    except Exception:
        log.exception("%s could not be handled; the pass goes on.", run)


def _claim(run: Run) -> bool:
    """Be the only pass to send `run` for a while; a pass that dies gives it back by itself."""
    now = timezone.now()
    free = Run.objects.filter(Q(claimed_until=None) | Q(claimed_until__lt=now), pk=run.pk)
    return bool(free.filter(state=RunState.WAITING).update(claimed_until=now + CLAIM))


def _advance(run: Run, step: str, seen: Sighting) -> None:
    """Take the step and settle the GPU time together, unless another pass already did."""
    was_billed = run.gpu_seconds_used is not None
    try:
        with transaction.atomic():
            RUN.take(step, run, by=None, details=None, **_columns(run, step, seen))
            if run.state not in ALIVE:
                _bill(run, seen, was_billed=was_billed)
    except WrongState:
        log.info("%s was already moved on by another pass.", run)


def _columns(run: Run, step: str, seen: Sighting) -> dict[str, object]:
    now = timezone.now()
    columns: dict[str, object] = {"elapsed_s": max(seen.elapsed_s, 0)}
    columns |= {"queue_position": None, "waiting_reason": ""}
    if step == "start":
        columns["started_at"] = run.started_at or _moment(seen.started_at) or now
        columns |= {"ended_at": None, "reason": ""}  # it may have been lost meanwhile
    elif step in {"succeed", "fail", "stop"} and run.started_at is None:
        columns["started_at"] = _moment(seen.started_at)
    if step not in {"enqueue", "start"}:
        columns["ended_at"] = _moment(seen.ended_at) or now
        columns["reason"] = seen.reason[:40]
        columns["exit_code"] = seen.exit_code
        columns["gpu_seconds_used"] = max(seen.elapsed_s, 0) * run.gpus
    return columns


def _bill(run: Run, seen: Sighting, *, was_billed: bool) -> None:
    """Settle the hold; a run that was lost and found gets a counter-entry instead.

    Asked once for each end of a run, as the move beside it happens once. The key names the
    amount: a run that is lost and found twice is corrected twice.
    """
    used = max(seen.elapsed_s, 0) * run.gpus
    if not was_billed:
        allocations.settle(run.allocation, run_key=run.key, gpu_seconds_used=used)
        return
    allocations.correct(
        run.allocation,
        run_key=run.key,
        gpu_seconds_used=used,
        key=f"found-{used}",
        note="The run turned up after it was lost.",
    )


def _moment(epoch: float | None) -> datetime | None:
    return datetime.fromtimestamp(epoch, UTC) if epoch else None

"""Make the database agree with the engine, a little at a time, for ever.

Each pass asks the engine once about all living runs, outside any transaction, and then
applies what it learned run by run. Every step is guarded and every engine call may be
repeated, so a pass can be interrupted anywhere (kill -9), and two of them may run at once.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from fabriek.allocations import actions as allocations
from fabriek.allocations import queries as allocation_queries
from fabriek.engines.base import (
    Engine,
    EngineDown,
    JobHeldUp,
    JobRejected,
    Phase,
    Reason,
    Sighting,
)
from fabriek.kernel.errors import StorageFull, WrongState
from fabriek.runs import (
    accounts,
    folders,
    jobs,
    own_code,
    reasons,
    remembered,
    silence,
    tail,
    use,
)
from fabriek.runs.budgets import tell_budgets
from fabriek.runs.models import Run
from fabriek.runs.states import ALIVE, RUN, RunState

log = logging.getLogger(__name__)

CLAIM = timedelta(minutes=1)
# Longer than any engine needs to stop what has used its time.
OVERDUE_S = 600
# After silence. Longer than it takes until the next pass, in which the others have their turn.
TRY_AGAIN = timedelta(seconds=5)
# How long after it was lost a run may still turn up in the accounting.
LOST_AND_FOUND = timedelta(days=30)
STEP_FOR = {
    Phase.QUEUED: "requeue",
    Phase.RUNNING: "start",
    Phase.SUCCEEDED: "succeed",
    Phase.FAILED: "fail",
    Phase.CANCELLED: "stop",
}


def tick(engine: Engine) -> None:
    """Make one pass: tell budgets, send what waits, follow what lives.

    An engine may be silent in one and answer in another: Slurm keeps budgets in one service
    and its queue in another.
    """
    allocations.expire_ended()
    for part in (tell_budgets, send_waiting, follow_living):
        try:
            part(engine)
        except EngineDown as down:
            log.warning("The engine does not answer; nothing is concluded. %s", down)


def send_waiting(engine: Engine) -> None:
    """Send what waits, but not before the engine knows its budget: it would say no for ever."""
    waiting = Run.objects.filter(state=RunState.WAITING).select_related(
        "allocation", "case", "continues", "asked_by"
    )
    untold = Q(cancel_asked_at=None, allocation__in=allocation_queries.untold())
    for run in waiting.exclude(untold).order_by("asked_at"):
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
    living = {key: run for key, run in followed.items() if run.state in ALIVE}
    _stop(engine, [key for key, run in living.items() if run.cancel_asked_at])
    sightings = engine.look(followed.keys())
    silence.note_answer([run for key, run in living.items() if key not in sightings])
    if silence.is_long_past():
        goes_on = {key: seen for key, seen in sightings.items() if not seen.phase.is_final}
        _stop(engine, [key for key in living if _is_overdue(living[key], goes_on.get(key))])
    remembered.keep(followed, sightings)
    remembered.keep_waiting(followed, sightings)
    for key, run in followed.items():
        with _contained(run):
            _follow(run, sightings.get(key))


def _stop(engine: Engine, keys: Iterable[str]) -> None:
    """One that cannot be stopped now must not keep all others from being followed."""
    try:
        for key in keys:
            engine.cancel(key)
    except EngineDown as down:
        log.warning("Not all runs could be stopped; they will be. %s", down)


def _is_overdue(run: Run, seen: Sighting | None) -> bool:
    """Whether it has had far more than its time: what is started again counts for itself.

    It counts in its own folder, where the work may write.
    """
    return seen is not None and seen.elapsed_s > run.timeout_s + OVERDUE_S


def _send(engine: Engine, run: Run) -> None:
    if run.cancel_asked_at:
        _call_off(engine, run)
        return
    if reason := use.denial(run):
        log.info("%s may not start: %s", run, reason)
        _advance(run, "fail", Sighting(Phase.FAILED, reason=reason))
        return
    try:
        if _made_ready(engine, run):
            engine.submit(jobs.job_of(run))
            _advance(run, "enqueue", Sighting(Phase.QUEUED))
    except JobRejected as rejection:
        log.warning("The engine rejects %s: %s", run, rejection)
        _advance(run, "fail", Sighting(Phase.FAILED, reason=rejection.code))
    except folders.OnItsWay as way:
        _say_on_its_way(run, way)
    except JobHeldUp as trouble:
        _say_held_up(run, trouble)
    except EngineDown:
        _claim_until(run, timezone.now() + TRY_AGAIN)
        raise


def _made_ready(engine: Engine, run: Run) -> bool:
    """Raise: JobHeldUp, EngineDown."""
    try:
        accounts.ensure(run.unix_account)
        accounts.refuse_another_number(run.unix_account, engine.uid_of)
        folders.prepare(run)
        own_code.prepare(run)
    except folders.Busy:
        return False
    except (OSError, StorageFull):
        log.exception("%s could not be made ready.", run)
        _advance(run, "fail", Sighting(Phase.FAILED, reason="not_ready"))
        return False
    return True


def _say_held_up(run: Run, trouble: JobHeldUp) -> None:
    """Keep why the run waits on; it is tried again when its claim has run out."""
    if run.waiting_reason != trouble.code:
        log.error("%s waits: %s", run, trouble)
        waiting = Run.objects.filter(pk=run.pk, state=RunState.WAITING)
        waiting.update(waiting_reason=trouble.code)


def _say_on_its_way(run: Run, way: folders.OnItsWay) -> None:
    """Show how much of its data is here, in MiB, and look again soon."""
    waiting = Run.objects.filter(pk=run.pk, state=RunState.WAITING)
    waiting.update(
        waiting_reason=way.code,
        progress_done=way.brought.done_bytes // 2**20,
        progress_total=max(1, way.brought.total_bytes // 2**20),
    )
    _claim_until(run, timezone.now() + TRY_AGAIN)


def _call_off(engine: Engine, run: Run) -> None:
    """Cancel a run that was not sent; one that a pass sent before it died is followed first."""
    if folders.is_ready(run) and engine.look([run.key]):
        _advance(run, "enqueue", Sighting(Phase.QUEUED))
    else:
        _advance(run, "cancel", Sighting(Phase.CANCELLED, reason="cancelled"))


def _follow(run: Run, seen: Sighting | None) -> None:
    if seen is None:
        if run.state in ALIVE and silence.is_too_long(run):
            lost = Sighting(Phase.UNKNOWN, elapsed_s=run.elapsed_s, reason="silent")
            _advance(run, "lose", lost)
        return
    all_read = _caught_up(run)
    step = STEP_FOR.get(seen.phase)
    if seen.phase.is_final and not all_read:
        return  # the end would close the book on events that were not read yet
    if step and step in RUN.open_from(run.state):
        _advance(run, step, seen)
    elif seen.starts > run.starts:  # started again while nobody looked
        Run.objects.filter(pk=run.pk).update(starts=seen.starts)


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


def _claim_until(run: Run, moment: datetime) -> None:
    Run.objects.filter(pk=run.pk, state=RunState.WAITING).update(claimed_until=moment)


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
    columns |= {"queue_position": None, "waiting_reason": "", "starts_expected_at": None}
    columns["starts"] = max(seen.starts, run.starts)
    if step == "enqueue":
        # It was how much of the data is here: the recipe's own begins at nothing.
        columns |= {"progress_done": 0, "progress_total": 0}
        columns["last_seen_at"] = now  # it may have been asked for hours ago
    if step == "requeue":
        columns |= {"queue_position": seen.queue_position}
        columns |= {"waiting_reason": reasons.plain(seen.reason)}
    if step == "start":
        columns["started_at"] = run.started_at or _moment(seen.started_at) or now
        columns |= {"ended_at": None, "reason": ""}  # it may have been lost meanwhile
    elif step in {"succeed", "fail", "stop"} and run.started_at is None:
        columns["started_at"] = _moment(seen.started_at)
    if step not in {"enqueue", "requeue", "start"}:
        columns["ended_at"] = _moment(seen.ended_at) or now
        stopped_by_us = not run.cancel_asked_at and _is_overdue(run, seen) and step == "stop"
        asked_by_us = run.stop_reason if step in {"stop", "cancel"} else ""
        told = Reason.TIMEOUT if stopped_by_us else seen.reason[:40]
        columns["reason"] = asked_by_us or told
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
    return tail.moment(epoch) if epoch else None

"""Make the database agree with the engine, a little at a time, for ever.

Each pass asks the engine once about all living runs, outside any transaction, and then
applies what it learned run by run. Every step is guarded and every engine call may be
repeated, so a pass can be interrupted anywhere (kill -9), and two of them may run at once.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

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
    Sighting,
)
from fabriek.kernel.errors import StorageFull
from fabriek.runs import (
    accounts,
    folders,
    jobs,
    longest,
    moves,
    own_code,
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
    for part in (tell_budgets, send_waiting, follow_living, longest.note):
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
        late = (key for key in living if moves.is_overdue(living[key], goes_on.get(key)))
        _stop(engine, list(late))
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


def _send(engine: Engine, run: Run) -> None:
    if run.cancel_asked_at:
        _call_off(engine, run)
        return
    if reason := use.denial(run):
        log.info("%s may not start: %s", run, reason)
        moves.take(run, "fail", Sighting(Phase.FAILED, reason=reason))
        return
    try:
        if _made_ready(engine, run):
            engine.submit(jobs.job_of(run))
            moves.take(run, "enqueue", Sighting(Phase.QUEUED))
    except JobRejected as rejection:
        log.warning("The engine rejects %s: %s", run, rejection)
        moves.take(run, "fail", Sighting(Phase.FAILED, reason=rejection.code))
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
        moves.take(run, "fail", Sighting(Phase.FAILED, reason="not_ready"))
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
        moves.take(run, "enqueue", Sighting(Phase.QUEUED))
    else:
        moves.take(run, "cancel", Sighting(Phase.CANCELLED, reason="cancelled"))


def _follow(run: Run, seen: Sighting | None) -> None:
    if seen is None:
        if run.state in ALIVE and silence.is_too_long(run):
            lost = Sighting(Phase.UNKNOWN, elapsed_s=run.elapsed_s, reason="silent")
            moves.take(run, "lose", lost)
        return
    all_read = _caught_up(run)
    step = STEP_FOR.get(seen.phase)
    if seen.phase.is_final and not all_read:
        return  # the end would close the book on events that were not read yet
    if step and step in RUN.open_from(run.state):
        moves.take(run, step, seen)
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

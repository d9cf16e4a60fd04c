"""One step of a run by what the engine said: its state, its moments and its bill together."""

import logging
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from fabriek.allocations import actions as allocations
from fabriek.engines.base import Reason, Sighting
from fabriek.kernel.errors import WrongState
from fabriek.runs import tail, waits
from fabriek.runs.models import Run
from fabriek.runs.states import ALIVE, RUN

log = logging.getLogger(__name__)

# Longer than any engine needs to stop what has used its time.
OVERDUE_S = 600


def take(run: Run, step: str, seen: Sighting) -> None:
    """Take the step and settle the GPU time together, unless another pass already did."""
    was_billed = run.gpu_seconds_used is not None
    try:
        with transaction.atomic():
            RUN.take(step, run, by=None, details=None, **_columns(run, step, seen))
            if run.state not in ALIVE:
                _bill(run, seen, was_billed=was_billed)
    except WrongState:
        log.info("%s was already moved on by another pass.", run)


def is_overdue(run: Run, seen: Sighting | None) -> bool:
    """Whether it has had far more than its time: what is started again counts for itself.

    It counts in its own folder, where the work may write.
    """
    return seen is not None and seen.elapsed_s > run.timeout_s + OVERDUE_S


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
        columns |= {"waiting_reason": waits.plain(seen.reason)}
    if step == "start":
        columns["started_at"] = run.started_at or _moment(seen.started_at) or now
        columns |= {"ended_at": None, "reason": ""}  # it may have been lost meanwhile
    elif step in {"succeed", "fail", "stop"} and run.started_at is None:
        columns["started_at"] = _moment(seen.started_at)
    if step not in {"enqueue", "requeue", "start"}:
        columns["ended_at"] = _moment(seen.ended_at) or now
        stopped_by_us = not run.cancel_asked_at and is_overdue(run, seen) and step == "stop"
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

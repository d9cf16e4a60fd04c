"""How a search ends: done, given up, or stopped by somebody."""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from fabriek.kernel.errors import WrongState
from fabriek.runs import actions as runs
from fabriek.runs.models import Run
from fabriek.runs.states import UNFINISHED as AT_WORK
from fabriek.sweeps import actions
from fabriek.sweeps.models import Part, Sweep
from fabriek.sweeps.queries import Board
from fabriek.sweeps.states import SWEEP

log = logging.getLogger(__name__)

# So many that fail in the same way in the first round, more than have a score: it is no luck.
FAILURES_MOST = 3
USUAL = 1  # the first trial has the settings that the form proposes


def fails_again(board: Board) -> bool:
    """Give up when the first trials all fail in the same way.

    One is enough that ended well with the usual settings and never told the score: no setting
    changes that. Of others it takes two, as a wild setting may leave a score out.
    """
    first = [part for (_number, place), part in board.parts.items() if place == 0]
    one = _hopeless(first)
    if one is None:
        return False
    reason = one.run.reason if one.run else ""
    told = {"code": one.trouble, "failure": one.told, "reason": reason}
    take(board.sweep, "fail", reason="same_trouble", told=told, ended_at=timezone.now())
    return True


def _hopeless(first: Sequence[Part]) -> Part | None:
    """Find a trial that ended as every other would."""
    scored = sum(part.score is not None for part in first)
    never = [part for part in first if part.told.get("never")]
    usual = [part for part in never if part.trial.number == USUAL]
    if not scored and (usual or len(never) > 1):
        return (usual or never)[0]
    kinds = Counter(part.trouble for part in first if part.trouble)
    code, count = next(iter(kinds.most_common(1)), ("", 0))
    if count < FAILURES_MOST or count <= scored:
        return None
    return next(part for part in first if part.trouble == code)


def finish(board: Board, *, reason: str = "") -> None:
    """End it with the winner there is; `reason`: why it did less than was planned."""
    is_cut = len(board.trials) < board.sweep.trials_wanted
    reason = reason or ("cut" if is_cut else "")
    now = timezone.now()
    if board.best is None:
        take(board.sweep, "fail", reason="no_score", ended_at=now)
    else:
        take(board.sweep, "finish", reason=reason, ended_at=now)


def call_off(sweep: Sweep) -> None:
    """End what a pass began at the moment in which somebody stopped the search."""
    rows = Part.objects.filter(trial__sweep=sweep, ended_at=None).select_related("run", "trial")
    for part in rows:
        run = part.run or _run_of(sweep, part)
        if run is None:
            told = {"ended_at": timezone.now(), "trouble": "stopped"}
            Part.objects.filter(pk=part.pk, run=None).update(**told)
            continue
        Part.objects.filter(pk=part.pk, run=None).update(run=run)
        if run.state in AT_WORK and run.cancel_asked_at is None:
            runs.cancel(run, by=sweep.stopped_by or sweep.runs_as)


def note_tidy(board: Board) -> None:
    """Remember of one that is over that no pass need look at it again."""
    sweep = board.sweep
    winner = sweep.winner_run
    if sweep.is_unfinished or board.living or (winner and winner.state in AT_WORK):
        return
    Sweep.objects.filter(pk=sweep.pk, winner_run=winner).update(tidied_at=timezone.now())


def _run_of(sweep: Sweep, part: Part) -> Run | None:
    """Find the run that a pass asked for before it was killed."""
    wish_id = actions.named(actions.name_of(sweep, part.trial.number, part.round))
    return Run.objects.filter(key=f"fabriek-{wish_id.hex}", case=sweep.case).first()


def take(sweep: Sweep, name: str, **changes: Any) -> None:  # noqa: ANN401  of many columns
    """Move it a step, unless another pass or somebody did."""
    try:
        SWEEP.take(name, sweep, by=None, **changes)
    except WrongState:
        log.info("%s was already moved on by another pass, or by somebody.", sweep)

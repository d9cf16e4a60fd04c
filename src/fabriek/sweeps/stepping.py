"""Move every search on, a little at a time, for ever: the loop's part of it.

Each step is written down before it is taken and may be taken again: a round of a trial is
promised against the budget in one transaction, then asked for as a run under a name of its own,
then scored. A pass may be killed anywhere, and two of them may be at it at once.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from fabriek.kernel.errors import Invalid, NotEnough, Refused, StorageFull
from fabriek.runs import actions as runs
from fabriek.runs import folders
from fabriek.runs.prices import Price
from fabriek.sweeps import (
    actions,
    clearing,
    ending,
    halving,
    queries,
    quotes,
    ranges,
    rules,
    scoring,
)
from fabriek.sweeps.models import Part, Sweep, Trial
from fabriek.sweeps.queries import Board
from fabriek.sweeps.states import SweepState
from fabriek.sweeps.suggest import Tried, suggest
from fabriek_recipes.recipe import catalogue
from fabriek_recipes.searches import is_lower_better

log = logging.getLogger(__name__)

CLAIM = timedelta(minutes=1)
WORDS_MAX = 1_000
# Refusals that pass by themselves: the next pass tries again.
PASSING = frozenset({"data_on_its_way", "storage_full", "busy_counting"})


def tick() -> None:
    """Make one pass over all searches that are not over."""
    for sweep in queries.at_work():
        with _contained(sweep):
            if _claim(sweep):
                step(sweep)
                Sweep.objects.filter(pk=sweep.pk).update(claimed_until=None)


def step(sweep: Sweep) -> None:
    """Take one search as far as it can go now."""
    scoring.note(sweep)
    sweep.refresh_from_db(fields=["state", "is_full", "score"])
    if sweep.state == SweepState.RUNNING:
        if not sweep.runs_as.is_active:
            ending.take(sweep, "pause", reason="left")
        elif _may_run(sweep) and _send_promised(sweep):
            _begin(sweep)
    elif sweep.state != SweepState.PAUSED:
        ending.call_off(sweep)
    board = queries.board(sweep)
    if clearing.clear(board):
        ending.note_tidy(board)


def _may_run(sweep: Sweep) -> bool:
    """Ask first whether its person may still run anything for its case."""
    try:
        rules.require_start(sweep.runs_as, sweep.case)
    except Refused as refusal:
        return _stand_still(sweep, refusal)
    return True


# --- what is begun ----------------------------------------------------------------------
def _send_promised(sweep: Sweep) -> bool:
    """Ask for what was promised and not asked for; tells whether the search may go on."""
    rows = Part.objects.filter(trial__sweep=sweep, run=None, ended_at=None)
    return all(_ask(sweep, part) for part in rows.select_related("trial").order_by("pk"))


def _begin(sweep: Sweep) -> None:
    """Begin as much as may run at once."""
    for _turn in range(sweep.trials_wanted + sweep.at_once):
        board = queries.board(sweep)
        if ending.fails_again(board):
            return
        wanted = halving.following(board.standing)
        if isinstance(wanted, halving.Over):
            ending.finish(board)
            return
        if wanted is None or board.living >= sweep.at_once or not _begin_one(board, wanted):
            return


def _begin_one(board: Board, wanted: halving.Wanted) -> bool:
    """Promise one round of one trial, and ask for its run; tells whether to go on."""
    sweep = board.sweep
    trial = _trial(board, wanted)
    if trial is None:
        Sweep.objects.filter(pk=sweep.pk).update(is_full=True)
        sweep.is_full = True
        return True
    planned = board.standing.rounds[wanted.round]
    since = _since(board, trial.number, wanted.round)
    name = actions.name_of(sweep, trial.number, wanted.round)
    shares = (since, planned.until_share)
    wish = actions.wish_of(sweep, trial, shares=shares, name=name)
    try:
        cost = runs.price_for(wish, case=sweep.case, by=sweep.runs_as)
    except Invalid as refusal:
        _write_off(trial, wanted.round, refusal)
        return True
    except Refused as refusal:
        return _stand_still(sweep, refusal)
    part = _promise(board, Part(trial=trial, round=wanted.round), cost, shares)
    if part is None:
        return _out_of_budget(board, wanted)
    return _ask(sweep, part)


def _trial(board: Board, wanted: halving.Wanted) -> Trial | None:
    """Give the trial that is meant; a new one is written down when it is promised."""
    if wanted.number is not None:
        return board.trials[wanted.number]
    sweep, number = board.sweep, len(board.trials) + 1
    known = ranges.kept(sweep.ranges)
    if number == 1:
        knobs = ranges.usual(catalogue()[sweep.recipe], known, sweep.knobs)
        return Trial(sweep=sweep, number=number, knobs=knobs)
    tried = [_tried(board, one) for one in board.trials.values()]
    found = suggest(known, tried, is_lower_better=is_lower_better(sweep.score), seed=sweep.seed)
    return None if found is None else Trial(sweep=sweep, number=number, knobs=found)


def _tried(board: Board, trial: Trial) -> Tried:
    part = board.parts.get((trial.number, 0))
    has_failed = part is not None and bool(part.trouble)
    return Tried(knobs=trial.knobs, score=part.score if part else None, has_failed=has_failed)


def _since(board: Board, number: int, place: int) -> float:
    """Tell from which share of its steps a trial goes on; 0: it begins anew, with more."""
    before = board.parts.get((number, place - 1))
    if before is None or before.run is None or not folders.has_checkpoint(before.run):
        return 0.0
    return before.until_share


def _promise(board: Board, part: Part, cost: Price, shares: tuple[float, float]) -> Part | None:
    """Set the most it may take apart from the budget; nothing when that is not there.

    The lock makes two passes wait for each other here, and nowhere else.
    """
    sweep, trial = board.sweep, part.trial
    try:
        with transaction.atomic():
            locked = Sweep.objects.select_for_update().get(pk=sweep.pk)
            if locked.state != SweepState.RUNNING:
                return None
            now = queries.board(sweep)
            left = sweep.gpu_seconds_budget - now.committed
            part.timeout_s = _timeout_s(
                cost, sweep.gpus, left // sweep.gpus, may_cut=not now.living
            )
            part.gpu_seconds_promised = part.timeout_s * sweep.gpus
            if part.gpu_seconds_promised > left:
                return None
            part.since_share, part.until_share = shares
            if trial.pk is None:
                trial.save()
                part.trial = trial
            part.save()
    except IntegrityError:
        log.info("%s: another pass promised this round of trial %s.", sweep, trial.number)
        same = Part.objects.filter(trial__sweep=sweep, trial__number=trial.number)
        return same.filter(round=part.round).first()
    return part


def _timeout_s(cost: Price, gpus: int, left_s: int, *, may_cut: bool) -> int:
    """Give as long as any run gets; when nothing will come back, what is left will do too."""
    if may_cut and quotes.least_s(cost.gpu_seconds, gpus) <= left_s:
        return min(cost.timeout_s, left_s)
    return cost.timeout_s


def _ask(sweep: Sweep, part: Part) -> bool:
    """Ask for the run of what was promised; tells whether the search may go on."""
    trial = part.trial
    wish = actions.wish_of(
        sweep,
        trial,
        shares=(part.since_share, part.until_share),
        name=actions.name_of(sweep, trial.number, part.round),
        timeout_s=part.timeout_s,
    )
    begun = None
    if part.since_share:
        before = Part.objects.filter(trial=trial, round=part.round - 1).select_related("run")
        begun = before[0].run
    try:
        run = runs.ask(wish, allocation=sweep.allocation, by=sweep.runs_as, continues=begun)
    except Invalid as refusal:
        _end(part, refusal)
        return True
    except Refused as refusal:
        return _stand_still(sweep, refusal)
    Part.objects.filter(pk=part.pk, run=None).update(run=run)
    return True


# --- what stands in the way ----------------------------------------------------------------
def _stand_still(sweep: Sweep, refusal: Refused) -> bool:
    """Stand still until somebody lets it go on, unless it passes by itself."""
    if refusal.code in PASSING or isinstance(refusal, StorageFull):
        log.info("%s waits: %s", sweep, refusal)
        return False
    at_work = Part.objects.filter(trial__sweep=sweep, ended_at=None, run__isnull=False)
    if isinstance(refusal, NotEnough) and at_work.exists():
        return False  # what its own runs hold and do not use comes back
    reason = "balance" if isinstance(refusal, NotEnough) else "refused"
    ending.take(sweep, "pause", reason=reason, told={"text": str(refusal)[:WORDS_MAX]})
    return False


def _write_off(trial: Trial, place: int, refusal: Invalid) -> None:
    """Let a trial whose settings do not go together count as the worst."""
    with transaction.atomic():
        if trial.pk is None:
            trial.save()
        part = Part.objects.create(
            trial=trial, round=place, timeout_s=1, gpu_seconds_promised=0
        )
    _end(part, refusal)


def _end(part: Part, refusal: Invalid) -> None:
    Part.objects.filter(pk=part.pk, ended_at=None).update(
        ended_at=timezone.now(),
        trouble="unfit",
        told={"text": str(refusal)[:WORDS_MAX]},
    )


def _out_of_budget(board: Board, wanted: halving.Wanted) -> bool:
    """Wait for what comes back from runs; or else begin nothing new, or be done."""
    is_at_work = Sweep.objects.filter(pk=board.sweep.pk, state=SweepState.RUNNING)
    if board.living or not is_at_work.exists():
        return False
    if wanted.round == 0 and board.parts:
        Sweep.objects.filter(pk=board.sweep.pk).update(is_full=True)
        board.sweep.is_full = True
        return True
    ending.finish(board, reason="budget")
    return False


def _claim(sweep: Sweep) -> bool:
    """Be the only pass at it for a while; a pass that dies gives it back by itself."""
    now = timezone.now()
    free = Sweep.objects.filter(Q(claimed_until=None) | Q(claimed_until__lt=now), pk=sweep.pk)
    return bool(free.update(claimed_until=now + CLAIM))


@contextmanager
def _contained(sweep: Sweep) -> Iterator[None]:
    """One search that cannot be handled must not stop the others."""
    try:
        yield
    except Exception:
        log.exception("%s could not be handled; the pass goes on.", sweep)

"""What is left of a run that ended early: how long going on from it may take, and its share.

By what it did and took so far, with a margin; where that does not tell, the whole again. Only
figures that are kept with the run are used, so that a page says what a start will hold.
"""

from math import ceil

from django.utils.translation import gettext as _

from fabriek.engines.base import Reason
from fabriek.kernel import words
from fabriek.runs import folders, kept, prices
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek_recipes.recipe import runnable

# A machine may be busier than it was; what is not used comes back.
MARGIN = 2
# The part of a run in which its progress is the steps of its checkpoints.
LEARNING = "Learning"
MINUTE_S = 60


def timeout_s(run: Run, step: int | None) -> int:
    """Give how long the run that goes on from `step` may take; empty: from the last one.

    No longer than the whole, unless that was too short.
    """
    needed_s = _needed_s(run, step)
    if needed_s is None:
        return run.timeout_s
    minutes = ceil(needed_s / MINUTE_S)
    bounded = min(max(prices.TIMEOUT_MIN_S, minutes * MINUTE_S), prices.TIMEOUT_MAX_S)
    return bounded if run.reason == Reason.TIMEOUT else min(bounded, run.timeout_s)


def said(run: Run) -> str:
    """Say what is set aside when it goes on from its last checkpoint."""
    held = words.gpu_hours(held_gpu_seconds(run, last_step(run)))
    text = _("For what is left %(held)s are set aside; what is not used comes back.")
    return text % {"held": held}


def held_gpu_seconds(run: Run, step: int | None) -> int:
    return run.gpus * timeout_s(run, step)


def share_done(run: Run, step: int | None) -> float:
    """Give which share of its steps or rows need not be done again; 0 where nobody knows."""
    if step is not None and _learns(run):
        return min(1.0, step / run.progress_total)
    return run.progress_done / run.progress_total if _answers(run) else 0.0


def last_step(run: Run) -> int | None:
    """Give the step of its last checkpoint; nothing where its checkpoints have no steps."""
    found = kept.checkpoints(folders.place(run))
    return found[0].step if found else None


def begun_at(run: Run) -> int | None:
    """Give how far it was when its present part began; nothing where nobody knows."""
    is_first = not run.continues_id and run.starts <= 1
    if is_first or not (run.stage == LEARNING or _keeps_rows(run)):
        return 0
    # Where the machine let it go on by itself, is not told.
    return run.continues_step if run.starts <= 1 and run.stage == LEARNING else None


def _needed_s(run: Run, step: int | None) -> float | None:
    recipe = runnable().get(run.recipe)
    if recipe and recipe.is_own_code:
        return _left_of_asked_s(run)
    if run.is_dry or run.progress_total <= 0:
        return None
    if step is not None and _learns(run):
        return _learning_s(run, step)
    return _answering_s(run) if _answers(run) else None


def _learning_s(run: Run, step: int) -> float | None:
    """Learn the rest at the pace so far, and twice what came before: starting, and scoring."""
    begun = begun_at(run)
    if begun is None or run.stage_at is None or run.progress_at is None:
        return None
    learned, took_s = (
        run.progress_done - begun,
        (run.progress_at - run.stage_at).total_seconds(),
    )
    if learned <= 0 or took_s <= 0:
        return None
    rest_s = took_s / learned * max(0, run.progress_total - step)
    return MARGIN * (rest_s + 2 * max(0.0, run.elapsed_s - took_s))


def _answering_s(run: Run) -> float:
    """Answer the rest at the pace so far, its start counted as if it had answered then."""
    rest = run.progress_total - run.progress_done
    return prices.TIMEOUT_MIN_S + MARGIN * run.elapsed_s / run.progress_done * rest


def _left_of_asked_s(run: Run) -> float | None:
    """Give what is left of the time that was asked for, where a program was told to save.

    Of one that failed nobody knows how much of its work was saved.
    """
    left_s = run.timeout_s - run.elapsed_s
    return left_s if run.state == RunState.CANCELLED and left_s > 0 else None


def _learns(run: Run) -> bool:
    return run.stage == LEARNING and run.progress_total > 0


def _answers(run: Run) -> bool:
    """Tell whether its progress is rows that are kept once they are done, all its own."""
    return _keeps_rows(run) and begun_at(run) == 0 and run.progress_done > 0


def _keeps_rows(run: Run) -> bool:
    recipe = runnable().get(run.recipe)
    return bool(recipe and recipe.keeps_rows)

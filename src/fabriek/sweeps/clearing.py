"""Remove what trials had saved to go on from, as soon as nobody will go on from it."""

import logging

from django.utils import timezone

from fabriek.runs import sweep as folder
from fabriek.runs.states import UNFINISHED, RunState
from fabriek.sweeps import halving
from fabriek.sweeps.models import Part
from fabriek.sweeps.queries import Board
from fabriek_recipes import run_folder

log = logging.getLogger(__name__)


def clear(board: Board) -> bool:
    """Keep of each trial that may go on the newest, and of the winner until it is a model.

    Tells whether all went that may go now.
    """
    kept = _kept(board)
    is_done = True
    for key, part in board.parts.items():
        if key in kept or part.cleared_at or part.run is None or not _is_over(part):
            continue
        try:
            folder.remove(part.run.folder, run_folder.CHECKPOINTS)
        except folder.Unreached as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                log.warning("What %s saved cannot be removed yet: %s", part.run, error)
                is_done = False
                continue
        except OSError:
            log.exception("What %s saved cannot be removed yet.", part.run)
            is_done = False
            continue
        Part.objects.filter(pk=part.pk).update(cleared_at=timezone.now())
    return is_done


def _is_over(part: Part) -> bool:
    """Whether nothing writes there any more; one that was lost may still."""
    at_work = {*UNFINISHED, RunState.LOST}
    return part.ended_at is not None and part.run is not None and part.run.state not in at_work


def _kept(board: Board) -> set[tuple[int, int]]:
    best = board.best
    sweep = board.sweep
    numbers = set(board.trials) if sweep.is_unfinished else set()
    if sweep.is_unfinished:
        numbers -= _left_behind(board)
    if best and not (sweep.winner_run and sweep.winner_run.state == RunState.SUCCEEDED):
        numbers.add(best.trial.number)
    kept = set()
    for number in numbers:
        places = sorted(place for one, place in board.parts if one == number)
        ended = [at for at in places if board.parts[number, at].score is not None]
        # Also what the last round that is over began from, while the next one runs.
        kept |= {(number, at) for at in ended[-1:]}
    return kept


def _left_behind(board: Board) -> set[int]:
    """Name the trials that a later round went on without."""
    standing = board.standing
    found: set[int] = set()
    for place, results in enumerate(standing.results[:-1]):
        is_over = all(one.is_over for one in results.values())
        is_begun = bool(standing.results[place + 1])
        if results and is_over and is_begun:
            found |= set(results) - set(halving.going_on(standing, place))
    return found

"""What the loop does for sessions: stop what may not go on, forget what is over."""

import logging

from fabriek.runs import actions as runs
from fabriek.runs import ending
from fabriek.runs.models import Run
from fabriek.trying import exchange, queries, rules

log = logging.getLogger(__name__)

AT_ONCE = 50


def tick() -> None:
    """Make one pass. One session that cannot be handled does not keep the others waiting."""
    for run in queries.at_work():
        try:
            _stop_denied(run)
        except Exception:
            log.exception("It cannot be seen whether %s may go on.", run)
    for run in queries.to_forget()[:AT_ONCE]:
        _forget(run)


def _stop_denied(run: Run) -> None:
    if denied := rules.denial(run.asked_by, run):
        ending.stop_for_data(run, denied)


def _forget(run: Run) -> None:
    """Remove what was asked and answered; what cannot be reached is tried again."""
    if not run.folder.parent.exists():
        return  # the disk with all runs is away
    try:
        if run.folder.exists():
            exchange.forget(run)
    except OSError as error:
        log.warning("What was said in %s is not gone yet: %s", run, error)
        return
    runs.note_outputs_taken(run)

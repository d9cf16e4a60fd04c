"""What the engine said of thousands of runs, written down in a statement or two."""

from datetime import datetime

from django.db import connection
from django.utils import timezone

from fabriek.engines.base import Phase, Sighting
from fabriek.runs import expected_start, many_rows, waits
from fabriek.runs.models import Run
from fabriek.runs.states import ALIVE, RunState

# Every start moves all places. To write down 5,000 takes `bulk_update` 2.4 s on SQLite, this
# 0.1 s (0.5 s on PostgreSQL). A run that another pass moved meanwhile is left alone. A moment
# is text to SQLite, and PostgreSQL takes a column of nothing for text.
KEEP_WAITING = """
    UPDATE runs_run
    SET queue_position = CAST(told.column3 AS integer), waiting_reason = told.column4,
        starts_expected_at = CAST(told.column5 AS {moment})
    FROM (VALUES {rows}) AS told
    WHERE told.column1 = runs_run.id AND told.column2 = runs_run.state
"""
# All that live are seen at each pass, and all that run have run longer.
KEEP_SEEN = """
    UPDATE runs_run SET last_seen_at = %s, elapsed_s = CAST(told.column3 AS bigint)
    FROM (VALUES {rows}) AS told
    WHERE told.column1 = runs_run.id AND told.column2 = runs_run.state
"""


def keep(followed: dict[str, Run], sightings: dict[str, Sighting]) -> None:
    """Keep who was mentioned and how long each has run: one statement for any number.

    A run which is lost later is billed for what it was seen to use.
    """
    rows = []
    for key, seen in sightings.items():
        run = followed[key]
        if run.state in ALIVE and not seen.phase.is_final:
            run.elapsed_s = max(seen.elapsed_s, run.elapsed_s)
        rows.append((run.pk, run.state, run.elapsed_s))
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    many_rows.write(KEEP_SEEN, rows, first=[now])


def keep_waiting(followed: dict[str, Run], sightings: dict[str, Sighting]) -> None:
    """Keep what the engine says of runs that wait: one statement, if any of it changed.

    A job that the engine starts again waits although its run has started.
    """
    changed = []
    for key, seen in sightings.items():
        run = followed[key]
        told = _waits(run, seen)
        known = (run.queue_position, run.waiting_reason, run.starts_expected_at)
        if told is not None and told != known:
            run.queue_position, run.waiting_reason, run.starts_expected_at = told
            starts_at = connection.ops.adapt_datetimefield_value(run.starts_expected_at)
            changed.append((run.pk, run.state, *told[:2], starts_at))
    moment = "text" if connection.vendor == "sqlite" else "timestamp with time zone"
    many_rows.write(KEEP_WAITING.replace("{moment}", moment), changed)


def _waits(run: Run, seen: Sighting) -> tuple[int | None, str, datetime | None] | None:
    """Tell its place, why it waits and until about when; None: there is nothing to keep.

    Of one that does not wait it tells (None, "", None).
    """
    if run.state in ALIVE and seen.phase is Phase.QUEUED:
        starts_at = expected_start.kept(run.starts_expected_at, seen.starts_at)
        return seen.queue_position, waits.plain(seen.reason), starts_at
    if run.state == RunState.RUNNING and seen.phase is Phase.RUNNING:
        return None, "", None
    return None  # a step that is about to be taken empties it, or nothing may be concluded

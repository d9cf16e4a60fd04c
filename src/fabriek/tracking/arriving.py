"""The figures of one call become one row, and are counted: both, or neither.

Thousands of calls do it a minute, so that the SQL is ours: Django would take longer to write it
than a database to do it.
"""

import json
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from fabriek.kernel.prepared import Statement, cursor_that_plans_once, sent
from fabriek.tracking import refusals, rules
from fabriek.tracking.batches import Batch
from fabriek.tracking.models import Arrival, Tally, Tracked
from fabriek.tracking.packing import Points

Row = tuple[Any, ...] | None

# The guard comes first: it holds the run, so that two calls come one after the other.
COUNT = (
    f"UPDATE {Tally._meta.db_table} SET points = points + %s, "  # noqa: S608  ours
    "points_waiting = points_waiting + %s, names_waiting = names_waiting + %s, "
    "arrivals_waiting = arrivals_waiting + 1 WHERE tracked_id = ({}) AND points + %s <= %s{} "
    "RETURNING tracked_id, arrivals_waiting, points_waiting"
)
INSERT = f"INSERT INTO {Arrival._meta.db_table} (tracked_id, names, data)"
BOTH = (
    f"WITH counted AS ({{}}), kept AS ({INSERT} SELECT tracked_id, %s, %s FROM counted) "  # noqa: S608
    "SELECT * FROM counted"
)
# Where this holds there is no need to look which names there are, nor what the case has.
PLENTY = " AND names + names_waiting + %s <= %s AND points / %s = (points + %s) / %s"


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits of a run after a call."""

    tracked: int
    arrivals: int
    points: int

    @property
    def is_much(self) -> bool:
        return self.arrivals > rules.ARRIVALS_WAITING or self.points >= rules.POINTS_WAITING


def arrive(tracked: Tracked, batch: Batch) -> Waiting | None:
    """Keep the figures of a batch, if it has any. Raises: Wrong, when they are too many."""
    if not batch.metrics:
        return None
    waiting = _kept(("%s", [tracked.pk]), ("", []), batch)
    if waiting is None:
        raise refusals.Wrong(
            _("The run would have more than %(most)s figures. Log them less often.")
            % {"most": rules.POINTS_MAX}
        )
    return waiting


def arrive_at_once(run: Statement, batch: Batch, *, only_if: Statement) -> Waiting | None:
    """Keep the figures in the run that `run` finds, if it has plenty of room for them.

    `only_if`: what else must hold, or no text. None: nothing is kept, and whoever looks more
    closely can tell why.
    """
    count, between = batch.points, rules.POINTS_BETWEEN
    words = [len(batch.metrics), rules.NAMES_MAX, between, count, between]
    text, more = only_if
    return _kept(run, (f"{PLENTY} AND {text}" if text else PLENTY, words + more), batch)


def _kept(run: Statement, guard: Statement, batch: Batch) -> Waiting | None:
    together = Points()
    for points in batch.metrics.values():
        together.extend(points)
    names = json.dumps([[name, len(points)] for name, points in batch.metrics.items()])
    count = len(together)
    text = COUNT.format(run[0], guard[0])
    words = [count, count, len(batch.metrics), *run[1], count, rules.POINTS_MAX, *guard[1]]
    keep = _in_one if connection.vendor == "postgresql" else _one_by_one
    row = keep((text, words), names, together.pack())
    return Waiting(*row) if row else None


def _in_one(count: Statement, names: str, data: bytes) -> Row:
    """Let one statement do both: a transaction of two asks the server four times."""
    text, words = count
    with cursor_that_plans_once() as cursor:
        cursor.execute(BOTH.format(text), sent([*words, names, data]))
        row: Row = cursor.fetchone()
        return row


def _one_by_one(count: Statement, names: str, data: bytes) -> Row:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(*count)
        rows = cursor.fetchall()
        for key, *_waiting in rows:
            cursor.execute(f"{INSERT} VALUES (%s, %s, %s)", [key, names, data])
    return rows[0] if rows else None

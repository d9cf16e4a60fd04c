"""The figures of one call become one row, and are counted: both, or neither.

Thousands of calls do it a minute, so that the SQL is ours: Django would take longer to write it
than a database to do it.
"""

import json

from django.db import connection, transaction
from django.utils.translation import gettext as _

from fabriek.kernel.prepared import cursor_that_plans_once, sent
from fabriek.tracking import refusals, rules
from fabriek.tracking.batches import Batch
from fabriek.tracking.models import Arrival, Tally, Tracked
from fabriek.tracking.packing import Points

# The guard comes first: it holds the run, so that two calls come one after the other.
COUNT = (
    f"UPDATE {Tally._meta.db_table} SET points = points + %s, "  # noqa: S608  ours
    "points_waiting = points_waiting + %s, arrivals_waiting = arrivals_waiting + 1 "
    "WHERE tracked_id = %s AND points + %s <= %s RETURNING tracked_id"
)
INSERT = f"INSERT INTO {Arrival._meta.db_table} (tracked_id, names, data)"


def arrive(tracked: Tracked, batch: Batch) -> None:
    """Keep the figures of a batch, if it has any. Raises: Wrong, when they are too many."""
    if not batch.metrics:
        return
    together = Points()
    for points in batch.metrics.values():
        together.extend(points)
    names = json.dumps([[name, len(points)] for name, points in batch.metrics.items()])
    count = len(together)
    words = [count, count, tracked.pk, count, rules.POINTS_MAX]
    kept = _at_once if connection.vendor == "postgresql" else _one_by_one
    if not kept(words, tracked, names, together.pack()):
        raise refusals.Wrong(
            _("The run would have more than %(most)s figures. Log them less often.")
            % {"most": rules.POINTS_MAX}
        )


def _at_once(words: list[int], _tracked: Tracked, names: str, data: bytes) -> bool:
    """Let one statement do both: a transaction of two asks the server four times."""
    text = f"WITH counted AS ({COUNT}) {INSERT} SELECT tracked_id, %s, %s FROM counted"  # noqa: S608
    with cursor_that_plans_once() as cursor:
        cursor.execute(text, sent([*words, names, data]))
        return bool(cursor.rowcount)


def _one_by_one(words: list[int], tracked: Tracked, names: str, data: bytes) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(COUNT, words)
        if not cursor.fetchall():
            return False
        cursor.execute(f"{INSERT} VALUES (%s, %s, %s)", [tracked.pk, names, data])
    return True

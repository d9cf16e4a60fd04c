"""Thousands of rows changed by one statement, which `bulk_update` would take seconds for."""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain

from django.db import connection

ROWS_A_STATEMENT = 5_000  # SQLite takes 32,766 values

Value = int | str | datetime | None


def write(
    statement: str, rows: Sequence[Sequence[Value]], *, first: Sequence[Value] = ()
) -> None:
    """Run the statement with the rows as the VALUES at its `{rows}`; none of it for no rows.

    `first`: what its own places stand for, before the rows.
    """
    for start in range(0, len(rows), ROWS_A_STATEMENT):
        some = rows[start : start + ROWS_A_STATEMENT]
        row = f"({', '.join(['%s'] * len(some[0]))})"
        places = ", ".join([row] * len(some))
        with connection.cursor() as cursor:
            cursor.execute(statement.format(rows=places), [*first, *chain.from_iterable(some)])

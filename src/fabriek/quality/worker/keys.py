"""Names inside nested cells: what a key gives away, as the name of a column does."""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import duckdb

from fabriek.quality.worker import rules
from fabriek.quality.worker.engine import quoted
from fabriek.quality.worker.lines import Places
from fabriek.quality.worker.table import Table

NESTED_KINDS = {"json", "jsonl", "parquet"}
SAMPLE_ROWS = 2_000
MOST_CHARACTERS = 100_000
MOST_COLUMNS = 300  # each costs a question
# Also what a tool or a function is called, in conversations with them.
OF_THINGS = {"name"}


@lru_cache(maxsize=50_000)
def told_by(key: str) -> frozenset[str]:
    told = rules.current().told_by(key)
    return told - {"name"} if key.casefold() in OF_THINGS else told


def found_in(
    connection: duckdb.DuckDBPyConnection, table: Table, column: str
) -> tuple[dict[str, Places], float]:
    """Give places by kind in a sample, and how many rows each of those stands for."""
    found: dict[str, Places] = {}
    if table.kind not in NESTED_KINDS or len(table.columns) > MOST_COLUMNS:
        return found, 1.0
    name = quoted(column)
    nested = f"{name} LIKE '{{%' OR {name} LIKE '[%'"
    rows = connection.execute(
        f"SELECT _row, {name} FROM {table.sample} WHERE ({nested}) "  # noqa: S608
        f"AND length({name}) <= {MOST_CHARACTERS} ORDER BY hash(_row) LIMIT {SAMPLE_ROWS}"
    ).fetchall()
    for row, text in sorted(rows):
        for kind in _kinds(text):
            found.setdefault(kind, Places()).add(row)
    if not found:
        return found, 1.0
    asked = f"SELECT count(*) FROM {table.view} WHERE {nested}"  # noqa: S608
    counted = connection.execute(asked).fetchone() or (0,)
    return found, max(1.0, counted[0] / len(rows))


def _kinds(text: str) -> set[str]:
    try:
        cell = json.loads(text)
    except (ValueError, RecursionError):
        return set()
    return {kind for key in _keys(cell) for kind in told_by(key)}


def _keys(cell: Any) -> Iterator[str]:  # noqa: ANN401  any JSON
    """Give the keys under which something stands, however deep."""
    left = [cell]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield from (key for key, value in one.items() if value not in (None, "", [], {}))
            left += one.values()
        elif isinstance(one, list):
            left += one

"""Numbers as the Dutch write them, 1.234,50: read as numbers where all of a column are such.

DuckDB knows one sign for decimals in a whole file; people mix both.
"""

import duckdb

from fabriek.quality.worker.engine import quoted
from fabriek.quality.worker.job import problem
from fabriek.quality.worker.table import TEXT, Table, stored, view_of

SAMPLE_ROWS = 5_000
MOST_COLUMNS = 300
NUMBER = r"\s*(?:€ ?)?-?(?:\d{1,3}(?:\.\d{3})*|\d+)(?:,\d+)?\s*"
# Of 1,200 nobody can tell what the comma does; of 1,20 and 1.200,50 everybody can.
CLEAR = r".*(?:,\d{1,2}|,\d{4,}|\.\d{3},\d+)\s*"


def read(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Make numbers of such columns of a table that is stored, and tell which they are."""
    described = connection.execute(f"DESCRIBE {stored(table)}").fetchall()
    texts = [row[0] for row in described if row[1] == TEXT][:MOST_COLUMNS]
    sample = f"(FROM {stored(table)} LIMIT {SAMPLE_ROWS})"
    names = _fitting(connection, _fitting(connection, texts, sample), stored(table))
    if not names:
        return
    numbers = ", ".join(f"{_number(name)} AS {quoted(name)}" for name in names)
    connection.execute(
        f"CREATE OR REPLACE TABLE {stored(table)} AS "  # noqa: S608
        f"SELECT * REPLACE ({numbers}) FROM {stored(table)}"
    )
    view_of(connection, table)
    table.problems += [
        problem("comma_read", "note", path=table.path, column=name) for name in names
    ]


def _fitting(
    connection: duckdb.DuckDBPyConnection, names: list[str], relation: str
) -> list[str]:
    """Give columns in which every cell is such a number, and some could be nothing else."""
    if not names:
        return []
    asked = ", ".join(
        f"bool_and(regexp_full_match({quoted(name)}, '{NUMBER}')) AND "
        f"bool_or(regexp_full_match({quoted(name)}, '{CLEAR}'))"
        for name in names
    )
    row = connection.execute(f"SELECT {asked} FROM {relation}").fetchone() or ()  # noqa: S608
    return [name for name, fits in zip(names, row, strict=True) if fits]


def _number(name: str) -> str:
    digits = f"replace(replace(trim({quoted(name)}, ' €'), '.', ''), ',', '.')"
    return f"CAST({digits} AS DOUBLE)"

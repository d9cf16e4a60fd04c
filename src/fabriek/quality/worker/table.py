"""A file of rows inside DuckDB, under the number of each row; and what was odd about it."""

from collections import Counter
from dataclasses import dataclass, field

import duckdb

from fabriek.quality.worker.job import Json, problem
from fabriek.quality.worker.lines import Places, Scan
from fabriek.quality.worker.unread import MOST_BYTES, Unread

TEXT = "VARCHAR"


@dataclass(kw_only=True, slots=True)
class Table:
    """`view` can be asked for all `columns` and `_row`, the number people count by.

    In a CSV row 1 is the first under the heading; in other files it is the number of the line.
    """

    path: str
    kind: str
    view: str
    columns: dict[str, str]
    rows: int = 0
    encoding: str = "utf-8"
    delimiter: str = ""
    has_heading: bool = True
    line_end: str = "\n"
    has_mark: bool = False  # begins with the sign that tells its letters, or should
    has_excels_line: bool = False  # which tells the delimiter, above the heading
    left_out: int = 0  # rows that are there, and cannot be read
    numbering: tuple[str, ...] = ()  # columns that only number the rows
    split_column: str = ""  # says of each row whether it is there to learn from
    parts: Counter[str] = field(default_factory=Counter)  # rows to learn from, to test with ...
    problems: list[Json] = field(default_factory=list)
    # Cells of rows that are left out, as (row, column, text): the file holds them all the same.
    rejected: list[tuple[int, str, str]] = field(default_factory=list)
    # Lines that are no rows at all, by the kinds of personal data that are on them.
    unread: dict[str, Places] = field(default_factory=dict)

    @property
    def sample(self) -> str:
        return self.view.replace("view_", "sample_")

    def texts(self) -> list[str]:
        return [name for name, kind in self.columns.items() if kind == TEXT]


def tell_of_bytes(table: Table, scan: Scan) -> None:
    table.encoding = scan.encoding
    for places, code, severity in (
        (scan.odd, "odd_encoding", "attention"),
        (scan.zeros, "zero_bytes", "attention"),
        (scan.long, "long_lines", "wrong"),
        (scan.blank, "blank_lines", "note"),
    ):
        if places.count:
            told = problem(
                code, severity, path=table.path, rows=places.rows, count=places.count
            )
            table.problems.append(told)


def tell_of_unread(table: Table, seen: Unread) -> None:
    """Say where what is no row was read for personal data in part only."""
    if seen.is_in_part:
        told = problem("unread_in_part", "attention", path=table.path, of=MOST_BYTES >> 20)
        table.problems.append(told)


def view_of(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    connection.execute(
        f"CREATE OR REPLACE VIEW {table.view} AS SELECT *, rowid + 1 AS _row "  # noqa: S608
        f"FROM {stored(table)}"
    )


def stored(table: Table) -> str:
    return table.view.replace("view_", "stored_")


def count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    found = connection.execute(f"SELECT count(*) FROM {relation}").fetchone()  # noqa: S608
    return int(found[0]) if found else 0

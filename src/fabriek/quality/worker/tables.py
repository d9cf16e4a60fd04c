"""Files of rows brought into DuckDB, each by its own kind."""

from collections.abc import Iterator
from importlib import import_module
from itertools import islice
from pathlib import Path

import duckdb

from fabriek.quality.worker import csv_table, json_table, lines, parquet_table
from fabriek.quality.worker.csv_table import MOST_COLUMNS
from fabriek.quality.worker.engine import trouble_of
from fabriek.quality.worker.job import Given, Job, Trouble
from fabriek.quality.worker.json_table import object_of
from fabriek.quality.worker.table import (
    Table,
    count,
    stored,
    tell_of_bytes,
    tell_of_unread,
    view_of,
)
from fabriek.quality.worker.unread import Unread

__all__ = ["load", "object_of", "rows_left_out"]

LINES_AT_ONCE = 20_000


def load(
    connection: duckdb.DuckDBPyConnection, job: Job, file: Given, kind: str, *, number: int
) -> Table:
    """Bring in one file.

    Raises:
        Trouble: it is broken from end to end, a bomb, or there is no room for it.
    """
    table = Table(path=file.path, kind=kind, view=f"view_{number}", columns={})
    at = lines.unpacked(file.at, job.temporary, most_bytes=job.disk_bytes)
    try:
        LOADS[kind](connection, table, at, job)
        described = connection.execute(f"DESCRIBE {table.view}").fetchall()
        table.columns = {row[0]: row[1] for row in described if row[0] != "_row"}
        table.rows = count(connection, table.view)
    except duckdb.Error as error:
        raise trouble_of(error) from None
    if len(table.columns) > MOST_COLUMNS:
        raise Trouble("too_many_columns", count=len(table.columns))
    return table


def as_text(job: Job, file: Given) -> Table:
    """Read a file without one row for personal data, as the plain text it is.

    Raises: Trouble.
    """
    table = Table(path=file.path, kind="text", view="", columns={})
    at = lines.unpacked(file.at, job.temporary, most_bytes=job.disk_bytes)
    seen = Unread(found=table.unread)
    scan = lines.scan(at, job.temporary, blank_counts=False, unread=seen.read, is_rows=False)
    number = 1
    with scan.at.open("rb") as opened:
        while piece := opened.readline(lines.CHUNK_BYTES):
            seen.read(number, piece)
            number += piece.endswith(b"\n")
    tell_of_unread(table, seen)
    return table


def forget(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Give its memory back."""
    connection.execute(f"DROP VIEW IF EXISTS {table.view}")
    for name in (stored(table), table.sample):
        connection.execute(f"DROP TABLE IF EXISTS {name}")


def rows_left_out(count: int) -> Trouble:
    return Trouble("rows_left_out", count=count)


def _text(connection: duckdb.DuckDBPyConnection, table: Table, at: Path, job: Job) -> None:
    seen = Unread(found=table.unread)
    scan = lines.scan(at, job.temporary, blank_counts=False, unread=seen.read)
    tell_of_bytes(table, scan)
    tell_of_unread(table, seen)
    connection.execute(f"CREATE OR REPLACE TABLE {stored(table)} (text VARCHAR)")
    arrow = import_module("pyarrow")  # it takes longer to load than most tables to be read
    for batch in _batches(scan.at):
        try:
            connection.register("batch", arrow.table({"text": batch}))
        except arrow.ArrowException:
            raise Trouble("broken_file") from None
        connection.execute(f"INSERT INTO {stored(table)} FROM batch")
        connection.unregister("batch")
    view_of(connection, table)


def _batches(at: Path) -> Iterator[list[str | None]]:
    with at.open(encoding="utf-8-sig", newline="\n") as file:
        while some := list(islice(file, LINES_AT_ONCE)):
            yield [line.rstrip("\r\n") or None for line in some]


LOADS = {
    "csv": csv_table.load,
    "jsonl": json_table.load_lines,
    "json": json_table.load,
    "text": _text,
    "parquet": parquet_table.load,
}

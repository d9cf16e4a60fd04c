"""A CSV brought in with the types that its beginning suggests; what does not fit is told."""

import codecs
import csv
import shutil
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import duckdb

from fabriek.quality.worker import commas, dialect, lines
from fabriek.quality.worker.dialect import Dialect
from fabriek.quality.worker.engine import quoted_text
from fabriek.quality.worker.job import Job, Trouble, problem
from fabriek.quality.worker.table import (
    Table,
    count,
    stored,
    tell_of_bytes,
    tell_of_unread,
    view_of,
)
from fabriek.quality.worker.unread import Unread
from fabriek_recipes.csv_writing import EXCELS_BYTES, excels_delimiter
from fabriek_recipes.number_styles import ONE_POINT_WAY, PLACES_NAMED, Written

MOST_COLUMNS = 5_000
MOST_REJECTS = 100_000
MOST_REJECTS_READ, REJECT_CHARACTERS = 20_000, 10_000  # for personal data
LENGTHS = ["MISSING COLUMNS", "TOO MANY COLUMNS"]
TOO_LONG = ["LINE SIZE OVER MAXIMUM"]
WRONG_TYPE_SHARE = 0.01  # more cells than this do not fit: the column is text after all
SAMPLE_ROWS = 20_480
CELLS_READ = 100_000  # to see how numbers are written: most columns tell in the first ten
BUFFER_BYTES = 2 * lines.LINE_BYTES  # DuckDB would take sixteen lines, and be slower for it


def load(connection: duckdb.DuckDBPyConnection, table: Table, at: Path, job: Job) -> None:
    seen = Unread(found=table.unread)
    scan = lines.scan(at, job.temporary, blank_counts=False, unread=seen.read)
    tell_of_bytes(table, scan)
    tell_of_unread(table, seen)
    lines_at = scan.at
    scan.at, told = _without_excels_line(lines_at, job.temporary)
    table.has_excels_line = scan.at != lines_at
    found = dialect.of(scan.at, told=told)
    table.delimiter, table.has_heading = found.delimiter, found.has_heading
    if len(found.names) > MOST_COLUMNS:
        raise Trouble("too_many_columns", count=len(found.names))
    if not found.names:
        raise Trouble("no_rows")
    if not found.has_heading:
        table.problems.append(problem("no_heading", "attention", path=table.path))
    if job.asked["kind"] == "treat":
        # What is written anew keeps every sign of every cell: no types, no rounding.
        _note_looks(table, at, scan.at)
        _ingest(connection, table, _csv_source(scan.at, found, set(found.names)))
        if _rejects(connection, "UNQUOTED VALUE") or _is_swallowed(connection, table, scan.at):
            raise Trouble("open_quote")
        table.left_out = scan.long.count + _left_out(connection)
        return
    _read_csv(connection, table, scan.at, found)


def _without_excels_line(at: Path, folder: Path) -> tuple[Path, str]:
    """Leave out a first line such as “sep=;”, which is no row; give the sign it tells."""
    with at.open("rb") as file:
        told = excels_delimiter(file.readline(EXCELS_BYTES).decode("utf-8", "replace"))
        if told is None:
            return at, ""
        target = folder / f"{at.name}.rows"
        with target.open("wb") as out:
            shutil.copyfileobj(file, out, lines.CHUNK_BYTES)
    return target, told


def _note_looks(table: Table, at: Path, rows_at: Path) -> None:
    """Note of the file and of its rows in UTF-8 what is to be written in the same way."""
    with at.open("rb") as file, rows_at.open("rb") as rows:
        is_marked = file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
        first = rows.readline(lines.LINE_BYTES)
    table.has_mark = is_marked or table.encoding != "utf-8"
    table.line_end = "\r\n" if first.endswith(b"\r\n") else "\n"


def _read_csv(
    connection: duckdb.DuckDBPyConnection, table: Table, at: Path, found: Dialect
) -> None:
    """Read with the types that the beginning suggests; again where that was wrong."""
    if _is_readable(connection, table, at, found):
        _correct_types(connection, table, at, found)
    if _rejects(connection, "UNQUOTED VALUE") or _is_swallowed(connection, table, at):
        table.problems.append(problem("open_quote", "wrong", path=table.path))
        _ingest(connection, table, _csv_source(at, found, set(found.names), quote=""))
    _tell_of_rejects(connection, table, found)
    commas.read(connection, table)
    table.rejected = list(_rejected_cells(connection, found))
    _tell_of_two_ways(connection, table, at, found)


def _tell_of_two_ways(
    connection: duckdb.DuckDBPyConnection, table: Table, at: Path, found: Dialect
) -> None:
    """Tell of columns in which 1.200 may be more than a thousand, by the signs in the file.

    DuckDB reads it as a little more than one, and keeps no sign of how it was written.
    """
    types = connection.execute(f"DESCRIBE {table.view}").fetchall()
    decimals = {row[0] for row in types if row[1] == "DOUBLE"}
    names = enumerate(found.names)
    columns = {place: Written() for place, name in names if name in decimals}
    if not columns:
        return
    _note(columns, at, found)
    for place, column in columns.items():
        if column.is_unclear and ONE_POINT_WAY in column.seen:
            name, rows = found.names[place], column.places
            told = problem("two_ways", "attention", path=table.path, column=name, rows=rows)
            table.problems.append(told)


def _note(columns: dict[int, Written], at: Path, found: Dialect) -> None:
    """Note how numbers are written, of each column until one has told."""
    asked, most = dict(columns), CELLS_READ // len(columns)
    for row, cells in _records(at, found, most=most):
        for place, column in tuple(asked.items()):
            if place < len(cells) and (word := cells[place].strip()):
                column.note(word, [row] if len(column.places) < PLACES_NAMED else ())
                if column.is_told:
                    del asked[place]
        if not asked:
            return


def _records(at: Path, found: Dialect, *, most: int) -> Iterator[tuple[int, list[str]]]:
    """Give the first rows below the heading; what is wrong with them is told elsewhere."""
    with at.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        records = csv.reader(file, delimiter=found.delimiter)
        with suppress(csv.Error):
            for row, cells in enumerate(islice(records, most), 1 - found.has_heading):
                if row:
                    yield row, cells


def _is_readable(
    connection: duckdb.DuckDBPyConnection, table: Table, at: Path, found: Dialect
) -> bool:
    """Read it as it looks; where DuckDB cannot make that out, as text from end to end."""
    try:
        _ingest(connection, table, _csv_source(at, found, set()))
    except duckdb.InvalidInputException:
        _ingest(connection, table, _csv_source(at, found, set(found.names)))
        return False
    return True


def _correct_types(
    connection: duckdb.DuckDBPyConnection, table: Table, at: Path, found: Dialect
) -> None:
    wrong = _rejects(connection, "CAST")
    room = max(1, int(count(connection, stored(table)) * WRONG_TYPE_SHARE))
    as_text = {name for name, (often, _lines) in wrong.items() if often > room}
    if not as_text:
        return
    table.problems += [
        problem("mixed_types", "attention", path=table.path, column=name,
                rows=_as_rows(found, wrong[name][1]), count=wrong[name][0])
        for name in sorted(as_text)
    ]  # fmt: skip
    _ingest(connection, table, _csv_source(at, found, as_text))


def _csv_source(at: Path, found: Dialect, as_text: set[str], *, quote: str = '"') -> str:
    """Say how to read it. With all columns as text nothing is left to be guessed."""
    given = (
        f"delim={quoted_text(found.delimiter)}, quote={quoted_text(quote)}, "
        f"escape={quoted_text(quote)}, header={str(found.has_heading).lower()}, "
        f"max_line_size={lines.LINE_BYTES}, buffer_size={BUFFER_BYTES}, strict_mode=true, "
        f"store_rejects=true, rejects_limit={MOST_REJECTS}"
    )
    types = ", ".join(
        f"{quoted_text(name)}: 'VARCHAR'" for name in found.names if name in as_text
    )
    if len(as_text) == len(found.names):
        guessed = f"auto_detect=false, columns={{{types}}}"
    else:
        names = ", ".join(quoted_text(name) for name in found.names)
        guessed = f"sample_size={SAMPLE_ROWS}, names=[{names}]"
        guessed += f", types={{{types}}}" if types else ""
    return f"read_csv({quoted_text(at)}, {given}, {guessed})"


def _ingest(connection: duckdb.DuckDBPyConnection, table: Table, source: str) -> None:
    for name in ("reject_errors", "reject_scans"):
        connection.execute(f"DROP TABLE IF EXISTS {name}")
    connection.execute(f"CREATE OR REPLACE TABLE {stored(table)} AS FROM {source}")
    view_of(connection, table)


def _rejects(
    connection: duckdb.DuckDBPyConnection, kind: str
) -> dict[str, tuple[int, list[int]]]:
    """Give by column how many values did not fit, and the first lines where."""
    if not _has_rejects(connection):
        return {}
    found = connection.execute(
        "SELECT coalesce(column_name, ''), count(DISTINCT line), list(DISTINCT line)[:20] "
        "FROM reject_errors WHERE error_type::VARCHAR = ? GROUP BY 1",
        [kind],
    ).fetchall()
    return {name: (often, sorted(places)) for name, often, places in found}


def _rejected_lines(connection: duckdb.DuckDBPyConnection, kinds: list[str]) -> list[int]:
    """Give each line once, though every cell that it lacks is told of."""
    if not _has_rejects(connection):
        return []
    found = connection.execute(
        "SELECT DISTINCT line FROM reject_errors "
        "WHERE list_contains(?, error_type::VARCHAR) ORDER BY 1",
        [kinds],
    ).fetchall()
    return [row[0] for row in found]


def _left_out(connection: duckdb.DuckDBPyConnection) -> int:
    """Count rows that are no rows of this table, for whatever reason."""
    if not _has_rejects(connection):
        return 0
    asked = "SELECT count(DISTINCT line) FROM reject_errors"
    found = connection.execute(asked).fetchone()
    return int(found[0]) if found else 0


def _has_rejects(connection: duckdb.DuckDBPyConnection) -> bool:
    asked = "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'reject_errors'"
    found = connection.execute(asked).fetchone()
    return bool(found and found[0])


def _is_swallowed(connection: duckdb.DuckDBPyConnection, table: Table, at: Path) -> bool:
    """Tell whether a quote that never closes ate the rows below it."""
    rows = count(connection, stored(table))
    with at.open("rb") as file:
        head = file.read(2**20)
    return rows * 3 < head.count(b"\n") - 1 and head.count(b'"') % 2 == 1


def _tell_of_rejects(
    connection: duckdb.DuckDBPyConnection, table: Table, found: Dialect
) -> None:
    """Tell of rows that are left out: those of the wrong length together, values by column."""
    for code, kinds in (("ragged", LENGTHS), ("long_lines", TOO_LONG)):
        if lines_of := _rejected_lines(connection, kinds):
            rows = _as_rows(found, lines_of[:20])
            told = problem(code, "wrong", path=table.path, rows=rows, count=len(lines_of))
            table.problems.append(told)
    for name, (often, places) in _rejects(connection, "CAST").items():
        rows = _as_rows(found, places)
        table.problems.append(
            problem(
                "odd_values", "attention", path=table.path, column=name, rows=rows, count=often
            )
        )


def _rejected_cells(
    connection: duckdb.DuckDBPyConnection, found: Dialect
) -> Iterator[tuple[int, str, str]]:
    """Give what stands in rows that are left out; a cell too many counts to the last column."""
    if not _has_rejects(connection):
        return
    rows = connection.execute(
        f"SELECT DISTINCT line, left(csv_line, {REJECT_CHARACTERS}) FROM reject_errors "  # noqa: S608
        f"WHERE csv_line IS NOT NULL ORDER BY 1 LIMIT {MOST_REJECTS_READ}"
    ).fetchall()
    for line, text in rows:
        row, last = _as_rows(found, [line])[0], len(found.names) - 1
        for place, cell in enumerate(dialect.cells_of(text, found.delimiter)):
            yield row, found.names[min(place, last)], cell


def _as_rows(found: Dialect, numbers: list[int]) -> list[int]:
    return [max(1, number - found.has_heading) for number in numbers]

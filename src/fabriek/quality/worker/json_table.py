"""JSON and JSON lines brought in: a column for each name, what is nested as the text it is."""

import json
from pathlib import Path

import duckdb

from fabriek.quality.worker import lines
from fabriek.quality.worker.engine import quoted, quoted_text
from fabriek.quality.worker.job import Job, Json, Trouble, problem
from fabriek.quality.worker.json_salvage import salvage
from fabriek.quality.worker.table import Table, stored, tell_of_bytes, tell_of_unread
from fabriek.quality.worker.unread import Unread

MOST_SUSPECTS = 100_000
OBJECT_BYTES = lines.LINE_BYTES


def load_lines(connection: duckdb.DuckDBPyConnection, table: Table, at: Path, job: Job) -> None:
    seen = Unread(found=table.unread)
    scan = lines.scan(at, job.temporary, blank_counts=True, unread=seen.read)
    tell_of_bytes(table, scan)
    at = scan.at
    try:
        connection.execute(_lines_source(table, at))
    except (duckdb.BinderException, duckdb.InvalidInputException):
        # A line that is no object stops all others: those lines go, and are told.
        at, broken = _objects_only(at, job.temporary, seen)
        _tell_of_broken(table, broken)
        connection.execute(_lines_source(table, at))
    _as_text(connection, table)
    _tell_of_broken(table, _broken_lines(connection, table, at, seen))
    tell_of_unread(table, seen)


def _lines_source(table: Table, at: Path) -> str:
    return (
        f"CREATE OR REPLACE TABLE {stored(table)} AS FROM read_json({quoted_text(at)}, "
        f"format='newline_delimited', ignore_errors=true, maximum_object_size={OBJECT_BYTES}, "
        "maximum_depth=1, sample_size=-1, records='true', convert_strings_to_integers=false)"
    )


def _tell_of_broken(table: Table, broken: lines.Places) -> None:
    if broken.count:
        table.problems.append(
            problem(
                "broken_json", "wrong", path=table.path, rows=broken.rows, count=broken.count
            )
        )


def _objects_only(at: Path, folder: Path, seen: Unread) -> tuple[Path, lines.Places]:
    target, broken, some = folder / f"{at.name}.objects", lines.Places(), False
    with at.open("rb") as file, target.open("wb") as out:
        for number, line in enumerate(file, start=1):
            is_object = _is_object(line)
            some = some or is_object
            if not is_object:
                broken.add(number)
                seen.read(number, line)
            out.write(line if is_object else b"{}\n")
    if not some:
        raise Trouble("broken_json", count=broken.count)
    return target, broken


def _is_object(line: bytes) -> bool:
    return object_of(line) is not None


def object_of(line: bytes | str) -> Json | None:
    """Read one line; nothing where it is no object, or holds half a sign, which is no text."""
    try:
        row = json.loads(line)
        if isinstance(row, dict):
            json.dumps(row, ensure_ascii=False).encode()
            return row
    except (ValueError, RecursionError):
        pass
    return None


def _broken_lines(
    connection: duckdb.DuckDBPyConnection, table: Table, at: Path, seen: Unread
) -> lines.Places:
    """Find lines that gave nothing at all, though there is something on them."""
    names = [row[0] for row in connection.execute(f"DESCRIBE {stored(table)}").fetchall()]
    empty = " AND ".join(f"{quoted(name)} IS NULL" for name in names)
    asked = f"SELECT rowid + 1 FROM {stored(table)} WHERE {empty} LIMIT {MOST_SUSPECTS}"  # noqa: S608
    suspects = {row[0] for row in connection.execute(asked).fetchall()}
    broken = lines.Places()
    if not suspects:
        return broken
    with at.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if number in suspects and line.strip() not in {b"{}", b"null"}:
                broken.add(number)
                seen.read(number, line)
    return broken


def load(connection: duckdb.DuckDBPyConnection, table: Table, at: Path, job: Job) -> None:
    seen = Unread(found=table.unread)
    scan = lines.scan(at, job.temporary, blank_counts=False, unread=seen.read, is_rows=False)
    tell_of_bytes(table, scan)
    table.left_out = scan.long.count
    given = f"maximum_object_size={OBJECT_BYTES}, maximum_depth=1, sample_size=-1"
    where = quoted_text(scan.at)
    tried = [f"read_json({where}, format={kind}, {given})" for kind in ("'array'", "'auto'")]
    for source in tried:
        try:
            connection.execute(f"CREATE OR REPLACE TABLE {stored(table)} AS FROM {source}")
        except (duckdb.InvalidInputException, duckdb.ConversionException):
            continue
        _as_text(connection, table)
        tell_of_unread(table, seen)
        return
    _what_is_whole(connection, table, scan.at, job, seen)


def _what_is_whole(
    connection: duckdb.DuckDBPyConnection, table: Table, at: Path, job: Job, seen: Unread
) -> None:
    """Read the rows before the place where it is broken; the rest for personal data only.

    Raises: Trouble (there is no whole row).
    """
    target = job.temporary / f"{at.name}.whole"
    whole = salvage(at, target)
    if not whole.rows:
        raise Trouble("no_json")
    breaks = problem(
        "json_breaks_off",
        "wrong",
        path=table.path,
        rows=[whole.rows + 1],
        whole=whole.rows,
        percent=whole.read_bytes * 100 // at.stat().st_size,
    )
    table.problems.append(breaks)
    connection.execute(_lines_source(table, target))
    _as_text(connection, table)
    broken = _broken_lines(connection, table, target, seen)
    _tell_of_broken(table, broken)
    table.left_out += 1 + broken.count
    with at.open("rb") as file:
        file.seek(whole.read_bytes)
        while piece := file.read(lines.CHUNK_BYTES):
            seen.read(whole.rows + 1, piece)
    tell_of_unread(table, seen)


def _as_text(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """See a text without the quotes that JSON writes around it, and what is nested as text.

    At the depth of one all columns are JSON, whatever stands in them.
    """
    described = connection.execute(f"DESCRIBE {stored(table)}").fetchall()
    shown = ", ".join(
        f"{_shown(name, kind)} AS {quoted(name)}" for name, kind, *_rest in described
    )
    connection.execute(
        f"CREATE OR REPLACE VIEW {table.view} AS SELECT {shown}, rowid + 1 AS _row "  # noqa: S608
        f"FROM {stored(table)}"
    )


def _shown(name: str, kind: str) -> str:
    if kind == "JSON":
        return f"({quoted(name)} ->> '$')"
    return f"{quoted(name)}::VARCHAR" if kind == "UUID" else quoted(name)

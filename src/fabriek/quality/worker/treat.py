"""Makes files in which decided columns are masked, dropped or given pseudonyms.

A CSV stays a CSV, rows of JSON lines stay JSON lines and text stays text, so that who reads
them by name goes on; other tables become Parquet, cut by content so that a next revision
shares most of its bytes. Rows that cannot be read would be lost: then nothing is made at all.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from fabriek.quality.worker import csv_made, engine, headings, kinds, lines, rules, tables
from fabriek.quality.worker.cells import Treatment, nested, written
from fabriek.quality.worker.job import MADE, Given, Job, Json, Trouble
from fabriek.quality.worker.names import Names
from fabriek.quality.worker.table import Table
from fabriek.quality.worker.targets import Targets

AT_ONCE = 20_000
ROWS_IN_GROUP = 100_000


@dataclass(kw_only=True, slots=True)
class Treated:
    """What was made of one file, and how many cells of it changed.

    Without a `name` nothing is left of it, and it goes.
    """

    path: str
    name: str
    was: str
    changed: dict[str, int] = field(default_factory=dict)
    rows: int = 0

    def count(self, column: str, before: object, after: object) -> None:
        if after != before:
            shown = headings.shown(column)
            self.changed[shown] = self.changed.get(shown, 0) + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class One:
    """One file to be treated."""

    treatment: Treatment
    targets: Targets
    file: Given
    number: int

    @property
    def job(self) -> Job:
        return self.treatment.job

    def at(self, done: Treated) -> Path:
        return self.job.folder / MADE / done.name

    def scanned(self, *, blank_counts: bool) -> lines.Scan:
        """Give its lines. Raises: Trouble, where one is too long to be read."""
        at = lines.unpacked(self.file.at, self.job.temporary, most_bytes=self.job.disk_bytes)
        scan = lines.scan(at, self.job.temporary, blank_counts=blank_counts)
        if scan.long.count:
            raise tables.rows_left_out(scan.long.count)
        return scan


def treat(job: Job, names: Names) -> Json:
    """Write every file that a decision touches below `made/`; others stay as they are."""
    (job.folder / MADE).mkdir(exist_ok=True)
    treatment, targets = Treatment(job, names), Targets(job.files)
    if treatment.wants_names and not names.are_read:
        raise Trouble("no_names")
    if job.asked.get("file_count", 0) > len(job.files):
        raise Trouble("too_many_files", count=job.asked["file_count"])
    connection = engine.connect(job)
    made: list[Json] = []
    for number, file in enumerate(job.files, start=1):
        job.tell("treat", done=number, of=len(job.files), path=file.path)
        one = One(treatment=treatment, targets=targets, file=file, number=number)
        done = _named(connection, one)
        if done is not None:
            made.append({"path": done.path, "name": done.name, "was": done.was,
                         "rows": done.rows, "changed": done.changed})  # fmt: skip
    return {"made": made, "rules": rules.CURRENT}


def _named(connection: duckdb.DuckDBPyConnection, one: One) -> Treated | None:
    """Treat one file; what is wrong is told with its name, never with what stands in it."""
    path = one.file.path
    try:
        return _one(connection, one)
    except Trouble as trouble:
        raise Trouble(trouble.code, **({"path": path} | trouble.facts)) from None
    except duckdb.Error as error:
        raise Trouble(engine.trouble_of(error).code, path=path) from None
    except (pa.ArrowException, ValueError, RecursionError):  # of which UnicodeError is one
        raise Trouble("broken_file", path=path) from None


def _one(connection: duckdb.DuckDBPyConnection, one: One) -> Treated | None:
    kind = kinds.kind_of(one.file)
    if kind == "jsonl":
        return _json_lines(one)
    if kind == "text":
        return _text(one, "text")
    if kind == "note":
        return _text(one, one.file.path)
    if kind in {"csv", "json", "parquet"}:
        return _table(connection, one, kind)
    return None


def _json_lines(one: One) -> Treated | None:
    """Go line by line; a line that is no object would be lost, so then nothing is made."""
    at, treatment = one.scanned(blank_counts=True).at, one.treatment
    done = Treated(path=one.file.path, name=f"{one.number}.jsonl", was=one.file.path)
    broken = 0
    with (
        at.open(encoding="utf-8-sig", newline="\n") as source,
        one.at(done).open("w", encoding="utf-8") as out,
    ):
        for line in source:
            row = tables.object_of(line)
            broken += row is None
            if not row:
                continue
            done.rows += 1
            out.write(json.dumps(_row(treatment, row, done), ensure_ascii=False) + "\n")
    if not done.changed:
        return None
    if broken:
        raise tables.rows_left_out(broken)
    done.path = one.targets.of(one.file)
    return done


def _row(treatment: Treatment, row: Json, done: Treated) -> Json:
    touched = set(treatment.touches(list(row)))
    after: Json = {}
    for name, before in row.items():
        if name not in touched:
            after[headings.apart(name, after)] = before
            continue
        if treatment.is_dropped(name):
            done.count(name, True, None)
            continue
        # One whose name is a value itself loses that too.
        shown = headings.apart(headings.shown(name), after)
        after[shown] = treatment.of(name)(before)
        done.count(name, (name, before), (headings.shown(name), after[shown]))
    return after


def _text(one: One, column: str) -> Treated | None:
    if not one.treatment.touches([column]):
        return None
    done = Treated(path=one.file.path, name=f"{one.number}.txt", was=one.file.path)
    if one.treatment.is_dropped(column):  # it has no other: nothing is left of it
        return Treated(path="", name="", was=done.was, changed={headings.shown(column): 1})
    at, change = one.scanned(blank_counts=False).at, one.treatment.of(column)
    with (
        at.open(encoding="utf-8-sig", newline="\n") as source,
        one.at(done).open("w", encoding="utf-8") as out,
    ):
        for line in source:
            done.rows += 1
            before = line.rstrip("\r\n")
            after = change(before) if before else before
            done.count(column, before, after)
            out.write(f"{after}\n")
    done.path = one.targets.of(one.file) if done.changed else ""
    return done if done.changed else None


def _table(connection: duckdb.DuckDBPyConnection, one: One, kind: str) -> Treated | None:
    table = tables.load(connection, one.job, one.file, kind, number=one.number)
    touched = one.treatment.touches(list(table.columns))
    if not touched:
        return None
    if table.left_out:
        raise tables.rows_left_out(table.left_out)
    if len(touched) == len(table.columns) and all(map(one.treatment.is_dropped, touched)):
        gone = {headings.shown(name): table.rows for name in touched}
        return Treated(path="", name="", was=one.file.path, changed=gone)
    return _anew(connection, one, table, touched)


def _anew(
    connection: duckdb.DuckDBPyConnection, one: One, table: Table, touched: list[str]
) -> Treated | None:
    """Write a table anew; one in which nothing changed stays as it is, to the byte."""
    ending = ".csv" if table.kind == "csv" else ".parquet"
    done = Treated(path="", name=f"{one.number}{ending}", was=one.file.path, rows=table.rows)
    asked = f"SELECT * EXCLUDE (_row) FROM {table.view}"  # noqa: S608
    batches = connection.cursor().sql(asked).to_arrow_reader(AT_ONCE)
    some = _changed(one.treatment, batches, touched, done)
    if table.kind == "csv":
        csv_made.write(one.at(done), table, some)
        ending = ""  # it keeps the name it has
    else:
        _write(one.at(done), some)
    if not done.changed and all(headings.shown(name) == name for name in touched):
        return None
    done.path = one.targets.of(one.file, ending=ending)
    return done


def _changed(
    treatment: Treatment, batches: pa.RecordBatchReader, touched: list[str], done: Treated
) -> Iterator[pa.Table]:
    """Give the rows some at a time; first none, as a table without a row has names too."""
    rows = (pa.Table.from_batches([batch]) for batch in batches)
    for some in chain([batches.schema.empty_table()], rows):
        table = some
        for name in touched:
            place = table.schema.get_field_index(name)
            if treatment.is_dropped(name):
                shown = headings.shown(name)
                done.changed[shown] = done.changed.get(shown, 0) + table.num_rows
                table = table.remove_column(place)
                continue
            others = (other for other in table.column_names if other != name)
            shown = headings.apart(headings.shown(name), others)
            cells = _cells(treatment, name, table.column(place), done)
            table = table.set_column(place, shown, cells)
        yield table


def _cells(treatment: Treatment, name: str, column: pa.ChunkedArray, done: Treated) -> pa.Array:
    """Change each cell. What is nested keeps its type; all else is written as text."""
    is_nested = pa.types.is_nested(column.type)
    change, before = treatment.of(name, keys_stay=is_nested), column.to_pylist()
    after = [change(cell) for cell in before]
    if not is_nested:
        after = [_cell(cell) for cell in after]
    for one, other in zip(before, after, strict=True):
        done.count(name, one, other)
    try:
        return pa.array(after, column.type if is_nested else pa.string())
    except (pa.ArrowException, TypeError, ValueError):  # a sign where a number has to be
        raise nested(name) from None


def _write(at: Path, some: Iterator[pa.Table]) -> None:
    writer: pq.ParquetWriter | None = None
    try:
        for table in some:
            if writer is None:
                writer = pq.ParquetWriter(
                    at, table.schema, compression="zstd", use_content_defined_chunking=True
                )
            if table.num_rows:
                writer.write_table(table, row_group_size=ROWS_IN_GROUP)
    finally:
        if writer is not None:
            writer.close()


def _cell(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else written(value)

"""Makes files in which decided columns are masked, dropped or given pseudonyms.

Rows of JSON lines stay JSON lines, as recipes learn from those, and text stays text; other
tables become Parquet, cut by content so that a next revision shares most of its bytes.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from fabriek.quality.worker import engine, kinds, lines, rules, tables
from fabriek.quality.worker.job import MADE, Given, Job, Json, Trouble
from fabriek.quality.worker.names import Names
from fabriek.quality.worker.rules import Hit

AT_ONCE = 20_000
PSEUDONYM_SIGNS = 32  # 128 bits: two values never share one by chance
ROWS_IN_GROUP = 100_000
DROP, MASK, PSEUDONYMISE = "drop", "mask", "pseudonymise"

Change = Callable[[Any], Any]


@dataclass(kw_only=True, slots=True)
class Treated:
    """What was made of one file, and how many cells of it changed."""

    path: str
    name: str
    was: str
    changed: dict[str, int] = field(default_factory=dict)
    rows: int = 0

    def count(self, column: str, before: object, after: object) -> None:
        if after != before:
            self.changed[column] = self.changed.get(column, 0) + 1


def treat(job: Job, names: Names) -> Json:
    """Write every file that a decision touches below `made/`; others stay as they are."""
    (job.folder / MADE).mkdir(exist_ok=True)
    treatment = Treatment(job, names)
    if treatment.wants_names and not names.are_read:
        raise Trouble("no_names")
    connection = engine.connect(job)
    made: list[Json] = []
    for number, file in enumerate(job.files, start=1):
        job.tell("treat", done=number, of=len(job.files), path=file.path)
        kind = kinds.kind_of(file)
        try:
            done = _one(connection, treatment, file, kind, number)
        except (duckdb.Error, pa.ArrowException) as error:
            known = isinstance(error, duckdb.Error)
            code = engine.trouble_of(error).code if known else "broken_file"
            raise Trouble(code, path=file.path) from None
        if done is not None:
            made.append({"path": done.path, "name": done.name, "was": done.was,
                         "rows": done.rows, "changed": done.changed})  # fmt: skip
    return {"made": made, "rules": rules.CURRENT}


class Treatment:
    """The decisions by column, ready to be done to a cell."""

    def __init__(self, job: Job, names: Names) -> None:
        self.job, self.names = job, names
        self.decided: dict[str, Json] = job.asked["decisions"]
        self.key = bytes.fromhex(job.secret)

    @property
    def wants_names(self) -> bool:
        return any(
            one["choice"] == MASK and "name" in one["kinds"] and "name" not in one["whole"]
            for one in self.decided.values()
        )

    def touches(self, columns: list[str]) -> list[str]:
        return [name for name in columns if name in self.decided]

    def is_dropped(self, column: str) -> bool:
        return bool(self.decided[column]["choice"] == DROP)

    def of(self, column: str) -> Change:
        """Give what is done to each cell of a column; nothing stays nothing."""
        decided = self.decided[column]
        if decided["choice"] == PSEUDONYMISE:
            return self.pseudonym
        if decided["whole"]:
            sign = f"[{decided['whole'][0].upper().replace(':', ' ')}]"
            return lambda cell: None if cell is None else sign
        return lambda cell: self._masked(cell, with_names="name" in decided["kinds"])

    def pseudonym(self, cell: object) -> str | None:
        """Give the same sign for the same value, in all columns and files of the dataset."""
        if cell is None:
            return None
        written = cell if isinstance(cell, str) else _written(cell)
        digest = hmac.new(self.key, written.strip().encode(), hashlib.sha256).hexdigest()
        return digest[:PSEUDONYM_SIGNS]

    def _masked(self, cell: Any, *, with_names: bool) -> Any:  # noqa: ANN401  any JSON
        if isinstance(cell, dict):
            return {k: self._masked(v, with_names=with_names) for k, v in cell.items()}
        if isinstance(cell, list):
            return [self._masked(one, with_names=with_names) for one in cell]
        if cell is None or isinstance(cell, bool):
            return cell
        text = cell if isinstance(cell, str) else str(cell)
        hits = rules.current().hits(text)
        if with_names:
            hits = _with_names(hits, self.names.found(text))
        return rules.masked(text, hits) if hits else cell


def _with_names(hits: list[Hit], names: list[tuple[int, int]]) -> list[Hit]:
    apart = [
        Hit("name", start, end)
        for start, end in names
        if all(end <= hit.start or start >= hit.end for hit in hits)
    ]
    return [*hits, *apart]


def _one(
    connection: duckdb.DuckDBPyConnection,
    treatment: Treatment,
    file: Given,
    kind: str,
    number: int,
) -> Treated | None:
    if kind == "jsonl":
        return _json_lines(treatment, file, number)
    if kind == "text":
        return _text(treatment, file, number)
    if kind in {"csv", "json", "parquet"}:
        return _table(connection, treatment, file, kind, number)
    return None


def _json_lines(treatment: Treatment, file: Given, number: int) -> Treated | None:
    """Go line by line; a line that is no object is left out, as no reader would take it."""
    job = treatment.job
    at = lines.unpacked(file.at, job.temporary, most_bytes=job.disk_bytes)
    at = lines.scan(at, job.temporary, blank_counts=True).at
    done = Treated(path=file.path.removesuffix(".gz"), name=f"{number}.jsonl", was=file.path)
    changes = {name: treatment.of(name) for name in treatment.decided}
    with at.open(encoding="utf-8") as source, _made(job, done).open("w") as out:
        for line in source:
            row = _object(line)
            if not row:
                continue
            done.rows += 1
            for name in treatment.touches(list(row)):
                before = row.pop(name) if treatment.is_dropped(name) else row[name]
                if not treatment.is_dropped(name):
                    row[name] = changes[name](before)
                done.count(name, before, row.get(name))
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    return done if done.changed else None


def _object(line: str) -> Json | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _text(treatment: Treatment, file: Given, number: int) -> Treated | None:
    if not treatment.touches(["text"]) or treatment.is_dropped("text"):
        return None
    job = treatment.job
    at = lines.unpacked(file.at, job.temporary, most_bytes=job.disk_bytes)
    at = lines.scan(at, job.temporary, blank_counts=False).at
    done = Treated(path=file.path.removesuffix(".gz"), name=f"{number}.txt", was=file.path)
    change = treatment.of("text")
    with (
        at.open(encoding="utf-8-sig", newline="\n") as source,
        _made(job, done).open("w") as out,
    ):
        for line in source:
            done.rows += 1
            before = line.rstrip("\r\n")
            after = change(before) if before else before
            done.count("text", before, after)
            out.write(f"{after}\n")
    return done if done.changed else None


def _table(
    connection: duckdb.DuckDBPyConnection,
    treatment: Treatment,
    file: Given,
    kind: str,
    number: int,
) -> Treated | None:
    job = treatment.job
    table = tables.load(connection, job, file, kind, number=number)
    touched = treatment.touches(list(table.columns))
    if not touched:
        return None
    name = f"{file.path.removesuffix('.gz').rpartition('.')[0] or file.path}.parquet"
    done = Treated(path=name, name=f"{number}.parquet", was=file.path, rows=table.rows)
    asked = f"SELECT * EXCLUDE (_row) FROM {table.view}"  # noqa: S608
    batches = connection.execute(asked).to_arrow_reader(AT_ONCE)
    _write(_made(job, done), _changed(treatment, batches, touched, done))
    return done


def _changed(
    treatment: Treatment, batches: pa.RecordBatchReader, touched: list[str], done: Treated
) -> Iterator[pa.Table]:
    changes = {name: treatment.of(name) for name in touched}
    for batch in batches:
        table = pa.Table.from_batches([batch])
        for name in touched:
            place = table.schema.get_field_index(name)
            if treatment.is_dropped(name):
                done.changed[name] = done.changed.get(name, 0) + table.num_rows
                table = table.remove_column(place)
                continue
            before = table.column(place).to_pylist()
            after = [_cell(changes[name](cell)) for cell in before]
            for one, other in zip(before, after, strict=True):
                done.count(name, one, other)
            table = table.set_column(place, name, pa.array(after, pa.string()))
        yield table


def _write(at: Path, some: Iterator[pa.Table]) -> None:
    writer: pq.ParquetWriter | None = None
    try:
        for table in some:
            if writer is None:
                writer = pq.ParquetWriter(
                    at, table.schema, compression="zstd", use_content_defined_chunking=True
                )
            writer.write_table(table, row_group_size=ROWS_IN_GROUP)
    finally:
        if writer is not None:
            writer.close()


def _cell(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else _written(value)


def _written(value: object) -> str:
    """Write a number as people do: 12 and 12.0 are one value, so that joins survive."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return str(value)


def _made(job: Job, done: Treated) -> Path:
    return job.folder / MADE / done.name

"""A Parquet file as DuckDB reads it where it lies; what is nested is looked at as text."""

from pathlib import Path
from typing import Any

import duckdb

from fabriek.quality.worker.engine import quoted, quoted_text
from fabriek.quality.worker.job import Job, problem
from fabriek.quality.worker.table import Table

NESTED = {"struct", "list", "array", "map", "union"}
# A list with none of these is one of numbers: no words, and very many digits.
WORDS = ("VARCHAR", "STRUCT", "MAP", "UNION", "ENUM", "JSON")
BYTES = "BLOB"


def load(connection: duckdb.DuckDBPyConnection, table: Table, at: Path, job: Job) -> None:
    """Bring it in. What is treated keeps its types, so that it can be written as it was."""
    source = f"read_parquet({quoted_text(at)}, file_row_number=true)"
    read = connection.cursor().sql(f"FROM {source}")
    types = dict(zip(read.columns, read.types, strict=True))
    types.pop("file_row_number")
    is_looked_at = job.asked["kind"] != "treat"
    shown = [
        f"{_as_text(name, kind)} AS {quoted(name)}" if is_looked_at else quoted(name)
        for name, kind in types.items()
    ]
    asked = ", ".join([*shown, "file_row_number + 1 AS _row"])
    connection.execute(
        f"CREATE OR REPLACE VIEW {table.view} AS SELECT {asked} FROM {source}"  # noqa: S608
    )
    table.problems += [
        problem("bytes_column", "attention", path=table.path, column=name)
        for name, kind in types.items()
        if BYTES in str(kind)
    ]


def _as_text(name: str, kind: Any) -> str:  # noqa: ANN401  of a package without types
    column, written = quoted(name), str(kind)
    if kind.id in {"enum", "uuid"} or written == "JSON":
        return f"{column}::VARCHAR"
    if kind.id not in NESTED or not any(word in written for word in WORDS):
        return column
    return f"to_json({_without_bytes(column, kind)})::VARCHAR"


def _without_bytes(part: str, kind: Any, depth: int = 0) -> str:  # noqa: ANN401
    """Leave out pictures and sounds: as text they would be many times larger."""
    if BYTES not in str(kind):
        return part
    if kind.id == "list":
        one = f"one_{depth}"
        inner = _without_bytes(one, kind.children[0][1], depth + 1)
        return f"list_transform({part}, lambda {one}: {inner})"
    if kind.id != "struct":
        return "NULL"
    fields = (
        f"{quoted(name)} := {_without_bytes(f'{part}.{quoted(name)}', inner, depth + 1)}"
        for name, inner in kind.children
    )
    return f"struct_pack({', '.join(fields)})"

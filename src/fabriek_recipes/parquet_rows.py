"""Reads the rows of a Parquet table, a few at a time, and refuses what would fill memory."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from fabriek_recipes.json_lines import LINE_BYTES_MAX
from fabriek_recipes.row_problems import RowProblem
from fabriek_recipes.row_problems import problem as _problem
from fabriek_recipes.words import _

# Rows held at once: so many, or what is about so many bytes.
ROWS_AT_ONCE = 4_096
BYTES_AT_ONCE = 16 * 1024 * 1024
# A column that grows so much when it is unpacked holds one thing again and again, and was
# written without the dictionary that every library makes of that.
BYTES_SUSPECT = 64 * 1024 * 1024
GROWS_MAX = 500

Cells = Sequence[str | None]
Write = Callable[[object], str | None]
Heading = Callable[[int, list[str]], RowProblem | None]


def read(
    path: Path, write: Write, heading: Heading
) -> Iterator[tuple[int, Sequence[str], Cells] | RowProblem]:
    """Give each row as `table_rows.rows` does; `heading` judges the names of the columns."""
    arrow = importlib.import_module("pyarrow")
    broken = _problem(0, _("The file is no whole Parquet file; save it again."))
    try:
        file, count = opened(path)
        names = [" ".join(str(name).split()) for name in file.schema_arrow.names]
    except (OSError, ValueError, arrow.ArrowException):
        yield broken
        return
    problem = heading(0, names) or _nested(arrow, file, names) or too_large(file)
    if problem is None and not count:
        problem = _problem(0, _("The file has no rows; add some."))
    if problem is not None:
        yield problem
        return
    try:
        yield from _rows(path, names, write)
    except (OSError, ValueError, UnicodeDecodeError, arrow.ArrowException):
        yield broken


def is_parquet(path: Path) -> bool:
    """Tell by its first bytes."""
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def opened(path: Path) -> tuple[Any, int]:  # Any: pyarrow comes without types
    """Open a table, and give its number of rows."""
    # Only now: most tables are CSV, and a portal of CSV needs none of it.
    parquet = importlib.import_module("pyarrow.parquet")
    file = parquet.ParquetFile(path)
    return file, int(file.metadata.num_rows)


def _rows(
    path: Path, names: list[str], write: Write
) -> Iterator[tuple[int, Sequence[str], Cells] | RowProblem]:
    arrow = importlib.import_module("pyarrow")
    parquet = importlib.import_module("pyarrow.parquet")
    plain = parquet.ParquetFile(path)
    texts = [one.name for one in plain.schema_arrow if is_text(one.type)]
    # Of a text that stands in a million rows one is kept, as in the file.
    file = parquet.ParquetFile(path, read_dictionary=texts)
    number = 0
    for batch in file.iter_batches(batch_size=at_once(plain)):
        for name, column in zip(names, batch.columns, strict=True):
            if _is_long(arrow, column):
                text = _("Column “%(name)s” holds a text longer than %(most)s KiB; split it.")
                yield _problem(0, text, name=name, most=LINE_BYTES_MAX // 1024)
                return
        written = [_written(arrow, column, write) for column in batch.columns]
        for cells in zip(*written, strict=True):
            number += 1
            yield number, names, cells


def at_once(file: Any) -> int:  # noqa: ANN401  pyarrow comes without types
    """Say how many rows are about as many bytes as may be held."""
    groups = [file.metadata.row_group(place) for place in range(file.metadata.num_row_groups)]
    widest = max((one.total_byte_size / max(1, one.num_rows) for one in groups), default=0)
    return max(1, min(ROWS_AT_ONCE, int(BYTES_AT_ONCE // max(1, widest))))


def _written(
    arrow: Any,  # noqa: ANN401
    column: Any,  # noqa: ANN401
    write: Write,
) -> list[str | None]:
    if not arrow.types.is_dictionary(column.type):
        return [write(cell) for cell in column.to_pylist()]
    words = [write(word) for word in column.dictionary.to_pylist()]
    return [None if code is None else words[code] for code in column.indices.to_pylist()]


def _is_long(arrow: Any, column: Any) -> bool:  # noqa: ANN401
    words = column.dictionary if arrow.types.is_dictionary(column.type) else column
    if not is_text(words.type):
        return False
    compute = importlib.import_module("pyarrow.compute")
    longest = compute.max(compute.binary_length(words)).as_py()
    return longest is not None and int(longest) > LINE_BYTES_MAX


def is_text(kind: Any) -> bool:  # noqa: ANN401
    """Tell a column of words by its type."""
    return str(kind) in {"string", "large_string", "string_view"}


def too_large(
    file: Any,  # noqa: ANN401
    columns: Collection[str] = (),
) -> RowProblem | None:
    """Refuse by what the file says of itself, before anything is unpacked.

    `columns`: which of them are read; none named: all.
    """
    for place in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(place)
        for one in (group.column(number) for number in range(group.num_columns)):
            if columns and one.path_in_schema not in columns:
                continue
            size, packed = one.total_uncompressed_size, max(1, one.total_compressed_size)
            is_long = size > (group.num_rows + 1) * LINE_BYTES_MAX
            if is_long or (size > BYTES_SUSPECT and size > GROWS_MAX * packed):
                text = _(
                    "Column “%(name)s” grows too large when it is unpacked; save the table "
                    "again, without texts longer than %(most)s KiB."
                )
                name = str(one.path_in_schema)[:120]
                return _problem(0, text, name=name, most=LINE_BYTES_MAX // 1024)
    return None


def _nested(
    arrow: Any,  # noqa: ANN401
    file: Any,  # noqa: ANN401
    names: list[str],
) -> RowProblem | None:
    for name, one in zip(names, file.schema_arrow, strict=True):
        kind = one.type.value_type if arrow.types.is_dictionary(one.type) else one.type
        is_bytes = arrow.types.is_binary(kind) or arrow.types.is_large_binary(kind)
        if is_bytes or arrow.types.is_nested(kind):
            text = _("Column “%(name)s” holds lists or bytes; a cell holds one value.")
            return _problem(0, text, name=name)
    return None

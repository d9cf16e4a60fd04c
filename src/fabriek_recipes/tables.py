"""Reads tables row by row (CSV, Parquet, JSON lines) and names every problem by its line.

Every value comes as the text it is written as, or None where it is missing: whether a column
holds numbers, days or words is for `columns.py` of a recipe to find, the same way while
learning and while predicting.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Annotated

from pydantic import Field

from fabriek_recipes import parquet_rows
from fabriek_recipes.kinds import Facts
from fabriek_recipes.row_problems import RowProblem, of_files, refuse
from fabriek_recipes.rows import is_held_out, lines
from fabriek_recipes.table_rows import (
    COLUMNS_MAX,
    NAME_CHARACTERS_MAX,
    Figure,
    TableRow,
    as_it_is,
    delimiter_of,
    rows,
    text_of,
)
from fabriek_recipes.words import Failed, Sentence, _

__all__ = [
    "CHECKED_ROWS_MAX",
    "NAME_CHARACTERS_MAX",
    "Column",
    "ColumnName",
    "Figure",
    "Files",
    "Table",
    "as_it_is",
    "check",
    "different_of",
    "files_of",
    "listed",
    "load",
    "names_of",
    "no_table",
    "rows",
    "size_of",
    "text_of",
]

SUFFIXES = frozenset({".csv", ".tsv", ".parquet", ".jsonl"})
CHECKED_ROWS_MAX = 200_000
DIFFERENT_ROWS, DIFFERENT_MAX = 2_000, 200
NAMES_SHOWN = 15

ColumnName = Annotated[str, Field(max_length=NAME_CHARACTERS_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The tables of a dataset: to learn from, and kept apart for scoring."""

    train: tuple[Path, ...]
    held_out: tuple[Path, ...]


@dataclass(slots=True, eq=False)
class Column:
    """All values of one column: each different text once, and which one stands where.

    `codes` holds -1 where the value is missing. `has_points`: some were written by a program as
    numbers, whose point begins decimals.
    """

    words: list[str] = field(default_factory=list)
    codes: array[int] = field(default_factory=lambda: array("i"))
    has_points: bool = False


@dataclass(slots=True, eq=False)
class Table:
    """Columns of equal length; `lines` says in which line each row stood."""

    columns: dict[str, Column]
    lines: array[int]
    has_decimal_comma: bool = False

    def __len__(self) -> int:
        """Count rows."""
        return len(self.lines)


def files_of(dataset: Path) -> Files:
    """Sort a dataset's tables; one with `test` or `heldout` in its name is kept apart."""
    found = [dataset] if dataset.is_file() else sorted(dataset.rglob("*"))
    files = tuple(path for path in found if path.suffix in SUFFIXES and path.is_file())
    train = tuple(path for path in files if not is_held_out(path))
    if not train:  # a dataset of one file called test.csv is there to be learned from
        return Files(train=files, held_out=())
    return Files(train=train, held_out=tuple(path for path in files if path not in train))


def check(dataset: Path) -> tuple[Sentence, ...]:
    """Say what is wrong with the tables of a dataset, at most some twenty problems.

    People wait for it, so of a large table the first rows only; the run looks at all.
    """
    found = files_of(dataset)
    if not found.train:
        return (Sentence(no_table()),)
    files = found.train + found.held_out
    told = ((path, _problems_of(path)) for path in files)
    return tuple(of_files(told, several=len(files) > 1))


def _problems_of(path: Path) -> Iterator[RowProblem]:
    first = islice(rows(path), CHECKED_ROWS_MAX)
    return (each for each in first if isinstance(each, RowProblem))


def counted(dataset: Path, base: Facts) -> Facts:
    """Fill in the rows, columns and bytes of all tables, also of those kept apart."""
    files = files_of(dataset)
    rows, columns, size = size_of(files.train + files.held_out)
    return replace(base, rows=rows, columns=columns, text_bytes=size)


def first_names(dataset: Path | None) -> tuple[str, ...]:
    """Name the columns of the first file to learn from; none where there is no such file."""
    files = files_of(dataset).train if dataset else ()
    return names_of(files[0]) if files else ()


def names_of(path: Path) -> tuple[str, ...]:
    """Name the columns of a table by its first row; nothing where that cannot be read."""
    for item in rows(path):
        return () if isinstance(item, RowProblem) else tuple(item[1])
    return ()


def listed(names: Sequence[str]) -> str:
    """List columns in a sentence; of many only the first."""
    return ", ".join(names[:NAMES_SHOWN]) + (", …" if len(names) > NAMES_SHOWN else "")


def size_of(paths: Sequence[Path]) -> tuple[int, int, int]:
    """Count rows, columns and bytes without judging a row."""
    count = columns = size = 0
    for path in paths:
        size += path.stat().st_size
        columns = max(columns, len(names_of(path)))
        if path.suffix == ".parquet":
            count += parquet_rows.opened(path)[1] if parquet_rows.is_parquet(path) else 0
            continue
        with path.open("rb") as file:
            count += sum(1 for _number, line in lines(file) if line is None or line.strip())
        count -= path.suffix != ".jsonl"
    return max(0, count), columns, size


def different_of(path: Path) -> tuple[tuple[str, int], ...]:
    """Count how many different words each column holds in the first rows of a table."""
    found: dict[str, set[str]] = {}
    for item in islice(rows(path), DIFFERENT_ROWS):
        if isinstance(item, RowProblem):
            break
        _line, names, cells = item
        for name, cell in zip(names, cells, strict=True):
            words = found.setdefault(name, set())
            if cell is not None and len(words) <= DIFFERENT_MAX:
                words.add(cell)
    return tuple((name, len(words)) for name, words in found.items())


def load(paths: Sequence[Path]) -> Table:
    """Read tables of the same columns into memory.

    Raises:
        Failed: `bad_row` with the line of the first bad row; `no_rows`.
    """
    table = Table(columns={}, lines=array("q"))
    indexes: dict[str, dict[str, int]] = {}
    for path in paths:
        table.has_decimal_comma |= path.suffix in {".csv", ".tsv"} and delimiter_of(path) != ","
        for item in rows(path):
            if isinstance(item, RowProblem):
                raise refuse(item, path.name)
            _add(table, indexes, item)
    if not len(table):
        raise Failed("no_rows", no_table())
    return table


def no_table() -> str:
    """Give the sentence for a dataset in which there is no table (a msgid)."""
    return _("The dataset has no .csv, .parquet or .jsonl file with rows; add your table.")


def _add(table: Table, indexes: dict[str, dict[str, int]], row: TableRow) -> None:
    line, names, cells = row
    for name in names:
        if name not in table.columns and len(table.columns) >= COLUMNS_MAX:
            text = _("There are more than %(most)s columns in all; leave some out.")
            raise Failed("too_many_columns", text, most=COLUMNS_MAX)
        if name not in table.columns:  # new in a later row: missing in those before
            column = table.columns[name] = Column()
            column.codes.extend([-1] * len(table))
            indexes[name] = {}
    given = dict(zip(names, cells, strict=True))
    for name, column in table.columns.items():
        word = given.get(name)
        if word is None:
            column.codes.append(-1)
            continue
        index = indexes[name]
        column.has_points |= isinstance(word, Figure)
        code = index.setdefault(word, len(index))
        if code == len(column.words):
            column.words.append(str(word))
        column.codes.append(code)
    table.lines.append(line)

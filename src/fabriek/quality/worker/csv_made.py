"""Writes a treated CSV as the CSV it was: its delimiter, its ends of lines, its heading.

Each cell stays the text it is, as no form with types holds 00123, 1,50 and an empty cell so
that who reads it next makes the same of it as of the file it comes from.
"""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.compute as pc

from fabriek.quality.worker.dialect import DELIMITERS
from fabriek.quality.worker.table import Table

ROWS_AT_ONCE = 1_000  # as text of Python, beside many more that are packed


def write(at: Path, table: Table, some: Iterable[pa.Table]) -> None:
    """Write a heading, also over a table that had none: who learns from it needs one."""
    is_begun = False
    # Excel takes the letters for Windows' own where no mark says that they are UTF-8.
    encoding = "utf-8-sig" if table.has_mark else "utf-8"
    with at.open("w", encoding=encoding, newline="") as out:
        for part in some:
            if not is_begun:
                _begin(out, table, part.column_names)
                is_begun = True
            for few in part.to_batches(max_chunksize=ROWS_AT_ONCE):
                rows = zip(*(column.to_pylist() for column in few.columns), strict=True)
                _put(out, table, rows, quotes_all=table.line_end == "\n" and _has_return(few))


def _begin(out: TextIO, table: Table, names: list[str]) -> None:
    if table.has_excels_line:
        out.write(f"sep={table.delimiter}{table.line_end}")
    # Readers find the delimiter by the first line: another sign in a name must not count.
    others = set(DELIMITERS) - {table.delimiter}
    is_unclear = any(others.intersection(name) for name in names)
    _put(out, table, [names], quotes_all=is_unclear)


def _has_return(few: pa.RecordBatch) -> bool:
    """Tell whether a cell holds a sign that Python does not quote, and that ends a row."""
    found = (pc.any(pc.match_substring(column, "\r")).as_py() for column in few.columns)
    return any(found)


def _put(out: TextIO, table: Table, rows: Iterable[Iterable[Any]], *, quotes_all: bool) -> None:
    sheet = csv.writer(
        out,
        delimiter=table.delimiter,
        lineterminator=table.line_end,
        quoting=csv.QUOTE_ALL if quotes_all else csv.QUOTE_MINIMAL,
    )
    sheet.writerows(rows)

"""The columns of files with rows, read from their first bytes; whole files are never opened.

Only what loaders of Croissant read just so: a CSV with commas, JSON by the line, Parquet.
"""

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import parquet

READ_BYTES = 2**17
ROWS = 50
MOST_COLUMNS = 500
LONGEST_NAME = 200
# The end of a Parquet file says how long its description is: more is no table of people.
LARGEST_FOOTER_BYTES = 8 * 2**20
MAGIC = b"PAR1"
INTEGER = re.compile(r"[+-]?\d{1,18}")
TRUTHS = {"true", "false"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """`kind`: Text, Integer, Float, Boolean, Date or DateTime; `is_list`: several of them."""

    name: str
    kind: str
    is_list: bool = False


def can_read(path: str) -> bool:
    return path.lower().endswith((".csv", ".jsonl", ".ndjson", ".parquet"))


def of(path: str, content: BinaryIO) -> list[Column]:
    """Read the columns of one file; of what is broken or strange there are none."""
    name = path.lower()
    try:
        if name.endswith(".parquet"):
            found = _of_parquet(content)
        elif name.endswith(".csv"):
            found = _of_csv(_lines(content))
        else:
            found = _of_objects(_lines(content))
    except (ValueError, RecursionError, OSError, csv.Error, pa.ArrowException):
        return []
    names = [column.name for column in found]
    sound = len(found) <= MOST_COLUMNS and len(set(names)) == len(names) and all(names)
    return found if sound and max(map(len, names), default=0) <= LONGEST_NAME else []


def _lines(content: BinaryIO) -> list[str]:
    """Read the beginning; of a longer file the last line may be torn, and is dropped."""
    head = content.read(READ_BYTES)
    lines = head.decode("utf-8-sig", errors="strict" if len(head) < READ_BYTES else "ignore")
    whole = lines.splitlines()
    return whole[:-1] if len(head) == READ_BYTES else whole


# --- CSV -----------------------------------------------------------------------------------
def _of_csv(lines: Sequence[str]) -> list[Column]:
    """Read a table with commas: loaders take semicolons for a part of the text."""
    heading = lines[0] if lines else ""
    if heading.count(";") > heading.count(",") or "\t" in heading:
        return []
    rows = csv.reader(lines, strict=True)
    names = next(rows, [])
    cells = list(islice((row for row in rows if row), ROWS))
    return [
        Column(name=name, kind=_kind_of_texts(row[index] for row in cells if index < len(row)))
        for index, name in enumerate(names)
    ]


def _kind_of_texts(texts: Iterable[str]) -> str:
    """Find the narrowest kind that all of these are; an empty cell says nothing."""
    told = [each.strip() for each in texts if each.strip()]
    if not told:
        return "Text"
    for kind, fits in TEXT_KINDS.items():
        if all(map(fits, told)):
            return kind
    return "Text"


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


TEXT_KINDS = {
    "Boolean": lambda text: text.lower() in TRUTHS,
    "Integer": lambda text: bool(INTEGER.fullmatch(text)),
    "Float": _is_float,
    "Date": _is_day,
}


# --- JSON by the line ------------------------------------------------------------------------
def _of_objects(lines: Iterable[str]) -> list[Column]:
    told: dict[str, list[Any]] = {}
    for line in islice((line for line in lines if line.strip()), ROWS):
        row = json.loads(line)
        if not isinstance(row, dict):
            return []
        for name, value in row.items():
            told.setdefault(name, []).append(value)
    found = ((name, _kind_of_values(values)) for name, values in told.items())
    return [
        Column(name=name, kind=kind, is_list=is_list) for name, (kind, is_list) in found if kind
    ]


def _kind_of_values(values: Sequence[object]) -> tuple[str, bool]:
    """Find the kind and whether it is a list; objects within have no place in a column."""
    told = [each for each in values if each is not None]
    is_list = bool(told) and all(isinstance(each, list) for each in told)
    if is_list:
        told = [inner for each in told if isinstance(each, list) for inner in each]
    kinds = {_kind_of_value(each) for each in told}
    if kinds <= {"Integer", "Float"} and kinds:
        return ("Float" if "Float" in kinds else "Integer"), is_list
    if not kinds:
        return "Text", is_list
    return (kinds.pop() if len(kinds) == 1 else ""), is_list


def _kind_of_value(value: object) -> str:
    for kind, types in VALUE_KINDS.items():
        if isinstance(value, types):
            return kind
    return ""


# In this order: to Python a truth is a number too.
VALUE_KINDS: Mapping[str, type] = {
    "Boolean": bool,
    "Integer": int,
    "Float": float,
    "Text": str,
}


# --- Parquet ---------------------------------------------------------------------------------
def _of_parquet(content: BinaryIO) -> list[Column]:
    content.seek(-8, 2)
    end = content.read(8)
    if end[4:] != MAGIC or int.from_bytes(end[:4], "little") > LARGEST_FOOTER_BYTES:
        return []
    content.seek(0)
    table = parquet.ParquetFile(
        content,
        thrift_string_size_limit=LARGEST_FOOTER_BYTES,
        thrift_container_size_limit=100_000,
    )
    found = ((column.name, _kind_of_type(column.type)) for column in table.schema_arrow)
    return [
        Column(name=name, kind=kind, is_list=is_list) for name, (kind, is_list) in found if kind
    ]


def _kind_of_type(kind: pa.DataType) -> tuple[str, bool]:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _kind_of_type(kind.value_type)[0], True
    for word, fits in ARROW_KINDS.items():
        if fits(kind):
            return word, False
    return "", False


ARROW_KINDS = {
    "Boolean": pa.types.is_boolean,
    "Integer": pa.types.is_integer,
    "Float": pa.types.is_floating,
    "Date": pa.types.is_date,
    "DateTime": pa.types.is_timestamp,
    "Text": lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind),
}

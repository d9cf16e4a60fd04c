"""Reads the rows of one table (CSV, Parquet, JSON lines), each problem told by its line."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

from fabriek_recipes import parquet_rows
from fabriek_recipes.csv_writing import Letters, excels_delimiter, in_utf8
from fabriek_recipes.json_lines import LINE_BYTES_MAX, lines
from fabriek_recipes.row_problems import RowProblem
from fabriek_recipes.row_problems import problem as _problem
from fabriek_recipes.words import _

DELIMITERS = ",;\t|"
COLUMNS_MAX = 2_000
NAME_CHARACTERS_MAX = 120
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "#n/a", "-"})
# A cell is at most a line; csv refuses above its own bound, which a stray quote soon reaches.
csv.field_size_limit(LINE_BYTES_MAX)

Write = Callable[[object], str | None]
Cells = Sequence[str | None]
TableRow = tuple[int, Sequence[str], Cells]
"""The line, the names of the columns, and the cells in their order."""


def rows(path: Path, write: Write | None = None) -> Iterator[TableRow | RowProblem]:
    """Give each row: its line, the names of the columns, and its cells in their order.

    `write` makes a cell of a value, by default as one word of a table (`text_of`).
    """
    write = write or text_of
    if path.suffix == ".parquet":
        return parquet_rows.read(path, write, heading_problem)
    return _jsonl(path, write) if path.suffix == ".jsonl" else _csv(path, write)


class Figure(str):
    """A number that a program wrote as one: its point begins decimals."""

    __slots__ = ()


def text_of(value: object) -> str | None:
    """Write a value as it would stand in a table; None where it is missing."""
    if value is None or value != value:  # noqa: PLR0124  a number that is no number
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal):
        is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
        return str(int(value)) if is_whole else Figure(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    text = " ".join(str(value).split())
    if not text.isascii():  # half a character can be said in JSON, and kept nowhere
        text = text.encode("utf-8", "replace").decode()
    return None if text.casefold() in MISSING else text


def as_it_is(value: object) -> str | None:
    """Keep a text as it was typed, new lines and all; None where there is none."""
    if not isinstance(value, str):
        return text_of(value)
    text = value if value.isascii() else value.encode("utf-8", "replace").decode()
    return text if text.strip() else None


# --- CSV ---------------------------------------------------------------------------------
def _csv(path: Path, write: Write) -> Iterator[TableRow | RowProblem]:
    seen, names = 0, None
    with path.open("rb") as file:
        feed, delimiter = opened(file)
        for item in records(feed, delimiter):
            if isinstance(item, RowProblem):
                seen += 1
                yield item
                continue
            line, cells = item
            if names is None:
                names = [" ".join(cell.split()) for cell in cells]
                if (problem := heading_problem(line, names)) is not None:
                    yield problem
                    return
                continue
            seen += 1
            yield csv_row(line, names, cells, write)
    if not seen:
        yield _problem(
            0, _("The file has no rows; put the names of the columns first, and rows below.")
        )


def records(feed: Feed, delimiter: str) -> Iterator[tuple[int, list[str]] | RowProblem]:
    """Give what is not blank; after a problem nothing more, as no line can be trusted."""
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    began = feed.line + 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                feed.began = began
                yield feed.line, cells
            began = feed.line + 1
    except csv.Error:
        text = _("Line %(line)s has a quote that does not end, or text after one; mend it.")
        yield feed.problem or _problem(began, text)
        return
    if feed.problem:
        yield feed.problem


def csv_row(
    line: int, names: list[str], cells: list[str], write: Write
) -> TableRow | RowProblem:
    if len(cells) != len(names):
        return _problem(
            line,
            _("Cells in line %(line)s: %(cells)s, and in the first line: %(names)s; mend it."),
            cells=len(cells),
            names=len(names),
        )
    return line, names, [write(cell) for cell in cells]


class Feed:
    """Gives csv lines of text, and remembers where it is and what was wrong with a line.

    `line` is the last one read, `began` where the row begins that was given last.
    """

    def __init__(
        self,
        source: Iterator[tuple[int, bytes | None]],
        read: Callable[[bytes], str] = bytes.decode,
    ) -> None:
        self._source = source
        self._read = read
        self.line = self.began = 0
        self.problem: RowProblem | None = None

    def __iter__(self) -> Feed:
        return self

    def __next__(self) -> str:
        number, line = next(self._source)
        self.line = number
        if line is None:
            self.problem = _too_long(number)
        elif b"\0" in line:
            self.problem = _problem(
                number, _("Line %(line)s holds a zero byte; save the file as UTF-8 text.")
            )
        else:
            try:
                return self._read(line)
            except UnicodeDecodeError:
                self.problem = _problem(
                    number, _("Line %(line)s is not UTF-8 text; save the file as UTF-8.")
                )
        raise StopIteration


def delimiter_of(path: Path) -> str:
    """Find by what the first line is divided, outside its quotes."""
    with path.open("rb") as file:
        _feed, delimiter = opened(file)
    return delimiter


def opened(file: BinaryIO) -> tuple[Feed, str]:
    """Give the lines of an open CSV without Excel's, and the sign by which it is divided."""
    start, source = file.tell(), in_utf8(file)
    first, heading = (
        source.readline(LINE_BYTES_MAX).decode("utf-8", "replace") for _line in range(2)
    )
    file.seek(start)
    feed = Feed(lines(in_utf8(file)), Letters().read)
    told = excels_delimiter(first)
    if told is None:
        return feed, delimiter_in(first)
    next(feed)
    return feed, told or delimiter_in(heading)


def delimiter_in(first: str) -> str:
    """Find it in the first line."""
    plain = re.sub(r'"[^"]*"', "", first)
    return max(DELIMITERS, key=plain.count)


def heading_problem(line: int, names: list[str]) -> RowProblem | None:
    if len(names) > COLUMNS_MAX:
        text = _("There are %(count)s columns; the most is %(most)s. Leave some out.")
        return _problem(line, text, count=len(names), most=COLUMNS_MAX)
    seen: set[str] = set()
    for place, name in enumerate(names, 1):
        if not name:
            text = _("Column %(place)s has no name in the first line; give it one.")
            return _problem(line, text, place=place)
        if len(name) > NAME_CHARACTERS_MAX:
            text = _(
                "The name of column %(place)s is longer than %(most)s characters; shorten it."
            )
            return _problem(line, text, place=place, most=NAME_CHARACTERS_MAX)
        if name in seen:
            text = _("Two columns are called “%(name)s”; rename one.")
            return _problem(line, text, name=name)
        seen.add(name)
    return None


# --- JSON lines --------------------------------------------------------------------------
def _jsonl(path: Path, write: Write) -> Iterator[TableRow | RowProblem]:
    seen = 0
    with path.open("rb") as file:
        for number, line in lines(file):
            if line is None or line.strip():
                seen += 1
                yield _too_long(number) if line is None else _object(number, line, write)
    if not seen:
        yield _problem(0, _("The file has no rows; put one JSON object on each line."))


def _object(number: int, line: bytes, write: Write) -> TableRow | RowProblem:
    raw = _parsed(number, line)
    if isinstance(raw, RowProblem):
        return raw
    names = [" ".join(name.split()) for name in raw]
    if (problem := heading_problem(number, names)) is not None:
        return problem
    for name, value in raw.items():
        if isinstance(value, list | dict):
            text = _(
                "In line %(line)s “%(name)s” is a list or an object; a cell holds one value."
            )
            return _problem(number, text, name=name[:NAME_CHARACTERS_MAX])
    return number, names, [write(value) for value in raw.values()]


def _parsed(number: int, line: bytes) -> dict[str, object] | RowProblem:
    try:
        raw = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return _problem(number, _("Line %(line)s is not UTF-8 text; save the file as UTF-8."))
    except json.JSONDecodeError as why:
        text = _(
            "Line %(line)s is not valid JSON near character %(column)s; mend or remove it."
        )
        return _problem(number, text, column=why.pos + 1)
    except (ValueError, RecursionError):
        text = _(
            "Line %(line)s holds a number or nesting too large to read; mend or remove it."
        )
        return _problem(number, text)
    if not isinstance(raw, dict) or not raw:
        return _problem(number, _('Line %(line)s is no row; write {"column": value, …}.'))
    return raw


def _too_long(number: int) -> RowProblem:
    most = LINE_BYTES_MAX // 1024
    text = _("Line %(line)s is longer than %(most)s KiB; split the row.")
    return _problem(number, text, most=most)

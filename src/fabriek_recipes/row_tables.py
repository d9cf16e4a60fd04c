"""Rows of a table (CSV) or of a list (JSON) as the objects that lines of a `.jsonl` would hold.

| file           | a row's number                    | bound                             |
|----------------|-----------------------------------|-----------------------------------|
| `.csv`, `.tsv` | the line it begins at             | a line, and a cell: 1 MiB         |
| `.json`        | its place in the list, from 1 on  | an object: 1 MiB                  |

Neither is held in memory as a whole. A CSV is UTF-8, or what Excel writes without asking.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import BinaryIO, cast

from fabriek_recipes.events import Json
from fabriek_recipes.json_lines import LINE_BYTES_MAX, not_json, too_large, too_long
from fabriek_recipes.row_problems import RowProblem, problem
from fabriek_recipes.table_rows import (
    NAME_CHARACTERS_MAX,
    csv_row,
    heading_problem,
    opened,
    records,
)
from fabriek_recipes.words import _

CSV, LIST = (".csv", ".tsv"), ".json"
DECODER = json.JSONDecoder()
SPACE = re.compile(r"[ \t\r\n]*")
CHUNK_BYTES = 2**16
# A word or an escaped letter that is cut off is faulted where it begins.
CUT_CHARACTERS = 16

Numbered = tuple[int, Json | RowProblem]


def is_table(path: PurePath) -> bool:
    """Tell by its name whether it holds rows in one of these forms."""
    return path.suffix.casefold() in {*CSV, LIST}


def rows_in(file: BinaryIO, named: PurePath) -> Iterator[Numbered]:
    """Give each row of an open file with its number, or what is wrong with it."""
    return _of_list(file) if named.suffix.casefold() == LIST else _of_csv(file)


# --- CSV ---------------------------------------------------------------------------------
def _of_csv(file: BinaryIO) -> Iterator[Numbered]:
    """Give a row its heading's names; after a heading that is none, nothing more."""
    names: list[str] | None = None
    seen = 0
    feed, delimiter = opened(file)
    for item in records(feed, delimiter):
        if isinstance(item, RowProblem):
            seen += 1
            yield item.line, item
        elif names is None:
            names = [" ".join(cell.split()) for cell in item[1]]
            # Longer names are a row without a heading: the reader says what is wanted.
            short = [name[:NAME_CHARACTERS_MAX] for name in names]
            if (wrong := heading_problem(feed.began, short)) is not None:
                yield feed.began, wrong
                return
        else:
            seen += 1
            yield feed.began, _object(feed.began, names, item[1])
    if not seen:
        text = _("The file has no rows; put the names of the columns first, and rows below.")
        yield 0, problem(0, text)


def _object(line: int, names: list[str], cells: list[str]) -> Json | RowProblem:
    row = csv_row(line, names, cells, lambda cell: str(cell).replace("\r\n", "\n"))
    return row if isinstance(row, RowProblem) else dict(zip(row[1], row[2], strict=True))


# --- A list ------------------------------------------------------------------------------
def _of_list(file: BinaryIO) -> Iterator[Numbered]:
    """Give each object of one JSON list; after one that cannot be read, nothing more."""
    window, number = _Window(file), 0
    try:
        if window.sign() != "[":
            yield 0, _no_list()
            return
        window.at += 1
        if window.sign() == "]":
            yield 0, problem(0, _("The file has no rows; put one JSON object on each line."))
            return
        while number == 0 or window.sign() == ",":
            window.at += number > 0
            number += 1
            yield number, window.element(number)
        is_closed = window.sign() == "]"
        window.at += 1
        if not is_closed or window.sign():
            yield number + 1, not_json(number + 1, 1)
    except UnicodeDecodeError:
        text = _("Line %(line)s is not UTF-8 text; save the file as UTF-8.")
        yield number, problem(max(1, number), text)
    except json.JSONDecodeError as why:
        column = 1 + why.pos - window.at
        yield number, too_long(number) if window.is_full(why) else not_json(number, column)
    except (ValueError, RecursionError):
        yield number, too_large(number)


def _no_list() -> RowProblem:
    text = _(
        "The file is no list of rows; write [{…}, {…}] in a .json file, or one object on each "
        "line of a .jsonl file."
    )
    return problem(0, text)


class _Window:
    """The letters of a file from where one is; of those no more than one object needs."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._text = ""
        self._is_over = False
        self.at = 0

    def sign(self) -> str:
        """Go to the next sign that is no room, and give it; nothing at the end of the file."""
        while True:
            room = SPACE.match(self._text, self.at)
            self.at = room.end() if room else self.at
            if self.at < len(self._text) or not self._grow():
                return self._text[self.at : self.at + 1]

    def element(self, number: int) -> Json | RowProblem:
        """Read one value. Raises: JSONDecodeError, or ValueError, RecursionError: too large."""
        self.sign()
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self.at)
            except json.JSONDecodeError as why:
                if not self._is_cut(why) or not self._grow():
                    raise
                continue
            if end < len(self._text) or not self._grow():
                size, self.at = len(self._text[self.at : end].encode()), end
                return too_long(number) if size > LINE_BYTES_MAX else cast("Json", value)

    def is_full(self, why: json.JSONDecodeError) -> bool:
        """Tell what is over the bound from what is wrong."""
        return self._is_cut(why) and not self._is_over

    def _is_cut(self, why: json.JSONDecodeError) -> bool:
        is_near_end = why.pos >= len(self._text) - CUT_CHARACTERS
        return is_near_end or why.msg.startswith("Unterminated string")

    def _grow(self) -> bool:
        """Read on; not behind the end, nor where one value is over the bound already."""
        if self._is_over or len(self._text) - self.at > LINE_BYTES_MAX:
            return False
        # More each time, or a long object would be begun with again and again.
        chunk = self._file.read(max(CHUNK_BYTES, len(self._text) - self.at))
        self._text = self._text[self.at :] + self._decode(chunk, final=not chunk)
        self._is_over, self.at = not chunk, 0
        return True

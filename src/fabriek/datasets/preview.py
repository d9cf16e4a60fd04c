"""The first rows of a file, cut to what a page can show."""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from fabriek.kernel.errors import Refused
from fabriek.store.models import File
from fabriek.store.queries import the_store
from fabriek_recipes.csv_writing import decoded, excels_delimiter

ENDINGS = (
    ".jsonl",
    ".ndjson",
    ".csv",
    ".tsv",
    ".txt",
    ".md",
)  # in this order: rows tell more than a note beside them
# What a look shows: libraries read it behind walls, and this page opens none of it.
BY_LOOK = (
    *(".parquet", ".json", ".gz", ".zst"),
    *(".png", ".jpg", ".jpeg", ".gif", ".webp"),
    *(".wav", ".flac", ".mp3", ".ogg"),
)
ROWS = 5
READ_BYTES = 2**16
CELL_CHARACTERS = 200
COLUMNS = 8
OTHERS = 5

Row = list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """`columns` is empty where rows are plain lines; `others` can be shown instead.

    `trouble`: why there are no rows, in a sentence; `more`: how many columns are left out.
    """

    path: str
    others: list[str]
    columns: Row
    rows: list[Row]
    trouble: str = ""
    more: int = 0


def can_show(path: str) -> bool:
    return path.casefold().endswith(ENDINGS)


def is_by_look(path: str) -> bool:
    return path.casefold().endswith(BY_LOOK)


def showable(files: Iterable[File]) -> list[File]:
    """Pick the files whose rows can be shown, the most telling kind first."""
    found = [file for file in files if can_show(file.path)]
    return sorted(found, key=lambda file: ENDINGS.index(_ending(file.path)))


def of(file: File, *, among: Iterable[File] = (), characters: int = CELL_CHARACTERS) -> Preview:
    beside = [other.path for other in among if other.path != file.path][:OTHERS]
    try:
        lines = _first_lines(file)
    except Refused as refusal:  # damaged, or the store is away: the page stands without it
        return Preview(path=file.path, others=beside, columns=[], rows=[], trouble=str(refusal))
    columns, rows = _parsed(file.path.casefold(), lines)
    return Preview(
        path=file.path,
        others=beside,
        columns=[cut(name, characters) for name in columns[:COLUMNS]],
        rows=[[cut(cell, characters) for cell in row[:COLUMNS]] for row in rows],
        more=max(0, len(columns) - COLUMNS),
    )


def _ending(path: str) -> str:
    return next(ending for ending in ENDINGS if path.casefold().endswith(ending))


def _first_lines(file: File) -> list[str]:
    """Read the beginning only; of a longer file the last line may be torn, and is dropped."""
    with the_store().open(file.blob) as content:
        head = content.read(READ_BYTES)
    is_cut = len(head) == READ_BYTES
    lines = decoded(head, is_cut=is_cut).splitlines()
    is_torn = is_cut and len(lines) > 1
    whole = lines[:-1] if is_torn else lines
    return list(islice((line for line in whole if line.strip()), ROWS + 1))


def _parsed(path: str, lines: list[str]) -> tuple[Row, list[Row]]:
    if path.endswith((".csv", ".tsv")):
        return _table(lines)
    if path.endswith((".jsonl", ".ndjson")):
        return _objects(lines[:ROWS])
    return [], [[line] for line in lines[:ROWS]]


def _table(lines: list[str]) -> tuple[Row, list[Row]]:
    """Split at the sign that the heading has most of: Dutch spreadsheets write semicolons."""
    told = excels_delimiter(lines[0]) if lines else None
    if told is not None:
        lines = lines[1:]
    heading = lines[0] if lines else ""
    delimiter = told or max(",;\t|", key=heading.count)
    table = list(csv.reader(lines, delimiter=delimiter))
    return (table[0], table[1 : ROWS + 1]) if table else ([], [])


def _objects(lines: list[str]) -> tuple[Row, list[Row]]:
    objects = [_object(line) for line in lines]
    found = [thing for thing in objects if thing is not None]
    if len(found) < len(lines):
        return [], [[line] for line in lines]
    columns = list(dict.fromkeys(name for thing in found for name in thing))
    return columns, [[thing.get(name, "") for name in columns] for thing in found]


def _object(line: str) -> dict[str, str] | None:
    try:
        thing = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(thing, dict):
        return None
    return {name: _written(value) for name, value in thing.items()}


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def cut(text: str, characters: int = CELL_CHARACTERS) -> str:
    return text if len(text) <= characters else f"{text[: characters - 1]}…"

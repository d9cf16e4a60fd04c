"""How a CSV is written: its delimiter, its heading, the names of its columns."""

import csv
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from fabriek.quality.worker import rules

DELIMITERS = ",;\t|"
HEAD_BYTES = 2**18
LINES_LOOKED_AT = 60
NUMBER = re.compile(
    r"[-+]?[\d.,]+(?:[eE][-+]?\d+)?%?|\d{4}-\d\d-\d\d.*|\d\d?[-/]\d\d?[-/]\d{2,4}.*"
)
LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    delimiter: str
    has_heading: bool
    names: tuple[str, ...]


def of(at: Path, *, told: str = "") -> Dialect:
    """Look at the beginning; the same sign the same number of times on most lines.

    `told`: the sign that the file itself says it is divided by.
    """
    with at.open("rb") as file:
        head = file.read(HEAD_BYTES)
    whole = head if len(head) < HEAD_BYTES else head[: head.rfind(b"\n") + 1]
    lines = whole.decode("utf-8-sig", "replace").splitlines()[: LINES_LOOKED_AT * 4]
    tables = {sign: _rows(lines, sign) for sign in told or DELIMITERS}
    delimiter = max(tables, key=lambda sign: _fit(tables[sign]))
    rows = tables[delimiter]
    if not rows:
        return Dialect(delimiter=",", has_heading=False, names=())
    width = Counter(map(len, rows)).most_common(1)[0][0]
    has_heading = _is_heading(rows)
    given = rows[0] if has_heading else []
    return Dialect(
        delimiter=delimiter,
        has_heading=has_heading,
        names=_named(given, max(width, len(given))),
    )


def _rows(lines: list[str], delimiter: str) -> list[list[str]]:
    """Split as DuckDB will; a field of any length, as the beginning is all we hold."""
    csv.field_size_limit(HEAD_BYTES * 2)
    try:
        rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
    except csv.Error:
        rows = [line.split(delimiter) for line in lines if line]
    return rows[:LINES_LOOKED_AT]


def cells_of(line: str, delimiter: str) -> list[str]:
    """Split one line; where its quotes make no sense, without them."""
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return line.split(delimiter)


def _fit(rows: list[list[str]]) -> tuple[float, int]:
    """Rate by how many rows have the usual number of fields, and how many that are."""
    if not rows:
        return (0.0, 0)
    width, often = Counter(map(len, rows)).most_common(1)[0]
    return (often / len(rows) if width > 1 else 0.0, width)


def _is_heading(rows: list[list[str]]) -> bool:
    """Names, each once and none a number or personal; over at least one row unlike it."""
    first = [cell.strip() for cell in rows[0]]
    if any(NUMBER.fullmatch(cell) or len(cell) > LONGEST_NAME for cell in first):
        return False
    if not any(first) or any(rules.current().hits(cell) for cell in first):
        return False
    if len(rows) == 1 or any(_has_number(row) for row in rows[1:]):
        return True
    if any(rules.current().told_by(cell) for cell in first):
        return True
    # Words over words: a heading repeats nothing that stands below it.
    below = {cell.strip() for row in rows[1:] for cell in row}
    return len(set(first)) == len(first) and not below.intersection(first)


def _has_number(row: list[str]) -> bool:
    return any(NUMBER.fullmatch(cell.strip()) for cell in row)


def _named(given: list[str], width: int) -> tuple[str, ...]:
    """Give each column a name that no other has, whatever case it is written in."""
    names: list[str] = []
    seen: set[str] = set()
    for place in range(width):
        wanted = given[place].strip()[:LONGEST_NAME] if place < len(given) else ""
        name = base = wanted or f"column {place + 1}"
        again = 2
        while name.casefold() in seen:
            name, again = f"{base} ({again})", again + 1
        seen.add(name.casefold())
        names.append(name)
    return tuple(names)

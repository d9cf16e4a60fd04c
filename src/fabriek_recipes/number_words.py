"""Asks what numbers such as 1.200 mean where a table does not tell; light for the portal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

from pydantic import Field

from fabriek_recipes import tables
from fabriek_recipes.number_styles import (
    PLACES_NAMED,
    UNCLEAR_WAYS,
    Unclear,
    Written,
    way_of,
)
from fabriek_recipes.row_problems import RowProblem
from fabriek_recipes.words import Sentence, _

UNCLEAR: dict[str, str] = {
    "ask": _("Ask me where it is unclear"),
    "thousands": _("More than a thousand"),
    "decimals": _("A little more than one"),
}
UnclearNumbers = Annotated[
    Unclear,
    Field(
        title=_("Numbers such as 1.200"),
        description=_(
            "Where all numbers of a column have three digits after their point (or comma), it "
            "may divide thousands or begin decimals. Only then this is looked at."
        ),
        json_schema_extra={"group": "basic", "labels": {**UNCLEAR}},
    ),
]
# People wait for it; the run looks at all rows.
ROWS_LOOKED_AT = 20_000


def of_column(column: tables.Column, lines: Iterable[int] = ()) -> Written:
    """Look at the numbers of a column that was read; `lines` says where each row stood."""
    found = Written(has_points=column.has_points)
    counts = Counter(column.codes)
    for code, word in enumerate(column.words):
        found.note(word, (), rows=counts[code])
    if found.is_unclear:
        words = enumerate(column.words)
        codes = {code for code, word in words if way_of(word) in UNCLEAR_WAYS}
        pairs = zip(column.codes, lines, strict=False)
        places = (line for code, line in pairs if code in codes)
        found.places = list(islice(places, PLACES_NAMED + 1))
    return found


def questions(dataset: Path, *, asked: Callable[[str], bool]) -> tuple[Sentence, ...]:
    """Ask of each column that is `asked` about what the first rows of a table leave unclear."""
    files = tables.files_of(dataset).train
    return tuple(
        written.question(name)
        for name, written in (_columns(files[0]) if files else {}).items()
        if asked(name) and written.is_unclear
    )


def _columns(path: Path) -> dict[str, Written]:
    found: dict[str, Written] = {}
    for line, name, cell in _cells(path):
        written = found.setdefault(name, Written())
        written.has_points |= isinstance(cell, tables.Figure)
        written.note(cell, () if len(written.places) > PLACES_NAMED else (line,))
    return found


def _cells(path: Path) -> Iterator[tuple[int, str, str]]:
    for item in islice(tables.rows(path), ROWS_LOOKED_AT):
        if isinstance(item, RowProblem):
            return
        line, names, cells = item
        for name, cell in zip(names, cells, strict=True):
            if cell is not None:
                yield line, name, cell

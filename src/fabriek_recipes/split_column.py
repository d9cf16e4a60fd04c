"""A column that says what each row is there for: to learn from, to choose with, to score."""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fabriek_recipes.events import Json
from fabriek_recipes.row_problems import RowProblem
from fabriek_recipes.rows import read_as
from fabriek_recipes.words import Sentence, _

LEARN, CHOOSE, SCORE = "train", "validation", "test"
# How such a column is called, without room between its words; and what stands in it.
NAMES = {"split", "subset", "fold", "partition", "set", "datasplit", "datasetsplit",
         "verdeling"}  # fmt: skip
PARTS = {
    "train": LEARN, "training": LEARN, "oefenen": LEARN, "oefening": LEARN,
    "test": SCORE, "tests": SCORE, "testing": SCORE, "toets": SCORE,
    "valid": CHOOSE, "validation": CHOOSE, "val": CHOOSE, "dev": CHOOSE, "eval": CHOOSE,
    "evaluation": CHOOSE, "heldout": CHOOSE, "holdout": CHOOSE, "validatie": CHOOSE,
    "evaluatie": CHOOSE,
}  # fmt: skip
ROOM = re.compile(r"[ _-]")


def part_of(cell: str | None) -> str:
    """Read what one cell says; nothing where it is empty, or holds another word."""
    return PARTS.get(_plain(cell), "") if cell else ""


def is_called_so(name: str) -> bool:
    return _plain(name) in NAMES


def parts_rows(words: Collection[str]) -> bool:
    """Tell whether a column with just these words divides rows: some to learn from, some not.

    Folds with a number do not: which of them to learn from is not said.
    """
    parts = {part_of(word) for word in words if word.strip()}
    return "" not in parts and LEARN in parts and len(parts) > 1


def column_of(columns: Mapping[str, Collection[str]], chosen_out: Collection[str] = ()) -> str:
    """Name the column that divides the rows, by the different words in each; or nothing."""
    return next(
        (
            name
            for name, words in columns.items()
            if name not in chosen_out and is_called_so(name) and parts_rows(words)
        ),
        "",
    )


def told(name: str, apart: Sequence[str], *, rows: int) -> Sentence:
    """Say that a run went by such a column; `apart`: what each of those rows is there for."""
    text = _(
        "Column “%(name)s” divides the rows: %(learn)s to learn from, %(choose)s of validation "
        "and %(score)s of test. Nothing is learned from the last two: they are kept apart, "
        "to stop in time and to score."
    )
    choose, score = apart.count(CHOOSE), apart.count(SCORE)
    learn = rows - len(apart)
    return Sentence(text, name=name[:60], learn=learn, choose=choose, score=score)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parted:
    """What a column says of some rows; `apart` is by what names a row (a file, and a line)."""

    name: str
    rows: int
    apart: Mapping[Hashable, str]

    def is_apart(self, row: Hashable) -> bool:
        """Tell whether nothing may be learned from it."""
        return row in self.apart

    @property
    def sentence(self) -> Sentence:
        """Say on the page of a run that it went by this column."""
        return told(self.name, [*self.apart.values()], rows=self.rows)


def parted(rows: Iterable[tuple[Hashable, Mapping[str, object]]]) -> Parted | None:
    """Find the column that divides these rows, if there is one. A row: its name, its cells."""
    words: dict[str, set[str]] = {}
    apart: dict[str, dict[Hashable, str]] = {}
    count = 0
    for row, given in rows:
        count += 1
        for name in filter(is_called_so, given):
            cell = given[name]
            said = "" if cell is None else str(cell).strip()
            part = part_of(said)
            # Of words that say nothing one is enough: a column of other things has thousands.
            words.setdefault(name, set()).add(part if part or not said else "?")
            if part in {CHOOSE, SCORE}:
                apart.setdefault(name, {})[row] = part
    name = column_of(words)
    return Parted(name=name, rows=count, apart=apart[name]) if name else None


def of_rows(files: Iterable[Path]) -> Parted | None:
    """Find that column in rows for a language model. What is no row is told elsewhere."""
    return parted(
        item
        for path in files
        for item in read_as(path, partial(_with_place, path))
        if not isinstance(item, RowProblem)
    )


def _with_place(path: Path, line: int, raw: Json) -> tuple[Hashable, Mapping[str, object]]:
    return (path, line), raw if isinstance(raw, dict) else {}


def _plain(words: str) -> str:
    return ROOM.sub("", words.strip().casefold())

"""Texts that a column of their rows keeps from learning, read where there is such a column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import cast

from fabriek_recipes import split_column, texts
from fabriek_recipes.events import Json
from fabriek_recipes.pretrain_lm.shards import Shard
from fabriek_recipes.pretrain_lm.survey import hash_of
from fabriek_recipes.split_column import CHOOSE, SCORE
from fabriek_recipes.training.process import Job, K
from fabriek_recipes.words import Failed, Sentence, _

# Each process holds the names of all of them in memory.
APART_MAX = 1_000_000


@dataclass(slots=True, kw_only=True)
class Column:
    """What one column says of some texts; `apart` names those that are not learned from."""

    words: list[str] = field(default_factory=list)
    rows: int = 0
    choose: int = 0
    score: int = 0
    apart: list[int] = field(default_factory=list)

    def note(self, cell: object, names: Sequence[int]) -> None:
        """Note what stands beside a text; `names`: of the text, or of its lines."""
        said = "" if cell is None else str(cell).strip()
        part = split_column.part_of(said)
        # Of words that say nothing one is enough: a column of other things has thousands.
        word = part if part or not said else "?"
        if word not in self.words:
            self.words.append(word)
        self.rows += 1
        self.choose += part == CHOOSE
        self.score += part == SCORE
        if part in {CHOOSE, SCORE}:
            self.apart += names

    def add(self, other: Column) -> None:
        """Add what it says of other texts."""
        self.words += other.words
        self.rows += other.rows
        self.choose += other.choose
        self.score += other.score
        self.apart += other.apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Names of texts not to learn from, and what is told of it."""

    apart: frozenset[int]
    sentence: Sentence


def said(job: Job[K], shards: Sequence[Shard], *, by_line: bool) -> Said | None:
    """Go by the column that divides these rows, where there is one; processes share the work.

    Raises:
        Failed: `too_many_apart`. Stopped.
    """

    def one(number: int) -> dict[str, Json]:
        job.stop.check()
        found = _columns(shards[number], by_line=by_line)
        return {name: cast("Json", asdict(column)) for name, column in found.items()}

    columns: dict[str, Column] = {}
    for part in job.group.share(len(shards), one):
        for name, told in cast("dict[str, dict[str, list[int]]]", part).items():
            columns.setdefault(name, Column()).add(Column(**told))  # type: ignore[arg-type]
    name = split_column.column_of({name: set(one.words) for name, one in columns.items()})
    if not name:
        return None
    chosen = columns[name]
    _check(name, chosen)
    kept = [CHOOSE] * chosen.choose + [SCORE] * chosen.score
    sentence = split_column.told(name, kept, rows=chosen.rows)
    return Said(apart=frozenset(chosen.apart), sentence=sentence)


def _columns(shard: Shard, *, by_line: bool) -> dict[str, Column]:
    found: dict[str, Column] = {}
    for pieces, cells in _rows(shard, by_line=by_line):
        names = [hash_of(piece) for piece in pieces]
        for name, cell in cells.items():
            column = found.setdefault(name, Column())
            column.note(cell, names)
            _check(name, column)
    return found


def _rows(shard: Shard, *, by_line: bool) -> Iterator[tuple[list[str], Mapping[str, object]]]:
    """Give each text as what is learned from, whole or its lines, with such cells of its row.

    As far as the shard goes: as `Shard.texts`.
    """
    left = shard.bytes_max
    for path in shard.files:
        for text, cells in texts.with_cells(path, split_column.is_called_so):
            lines = [line for line in text.splitlines() if line.strip()]
            pieces = lines if by_line else [text]
            if left is not None:
                left -= sum(map(len, pieces))
                if left < 0:
                    return
            yield pieces, cells


def _check(name: str, column: Column) -> None:
    if "?" not in column.words and len(column.apart) > APART_MAX:
        text = _(
            "Column “%(name)s” keeps more than %(most)s texts apart; put those in a file of "
            "their own, with “test” in its name."
        )
        raise Failed("too_many_apart", text, name=name[:60], most=APART_MAX)

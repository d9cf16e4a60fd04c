"""Reads the rows of a run and keeps some apart for scoring."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fabriek_recipes import split_column
from fabriek_recipes.finetune_lm.knobs import Knobs
from fabriek_recipes.leaks import digest
from fabriek_recipes.rows import NO_ROWS, Row, RowProblem, files_of, read
from fabriek_recipes.split_column import Parted
from fabriek_recipes.training.held_out import apart
from fabriek_recipes.training.run import refuse
from fabriek_recipes.words import Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Rows to learn from and rows to score on."""

    train: tuple[Row, ...]
    held_out: tuple[Row, ...]
    by: Parted | None = None  # what said which rows are kept apart, where a column did


def split(dataset: Path, knobs: Knobs) -> Split:
    """Read every row; keep some apart: the dataset's own file, those a column says, or by lot.

    The lot depends on a row's text alone: equal rows fall on the same side, and adding rows
    moves few others.

    Raises:
        Failed: `bad_row` with the line of the first bad row; `no_rows`.
    """
    contents = files_of(dataset)
    if not contents.train:
        raise Failed("no_rows", NO_ROWS)
    train = _rows(contents.train)
    if contents.held_out:
        return Split(train=train, held_out=_rows(contents.held_out)[: knobs.held_out_rows_max])
    if by := split_column.of_rows(contents.train):
        return _as_said(by, contents.train, knobs)
    hashes = _names(train)
    chosen = apart(hashes, percent=knobs.held_out_percent, most=knobs.held_out_rows_max)
    return Split(
        train=tuple(row for row, name in zip(train, hashes, strict=True) if name not in chosen),
        held_out=tuple(row for row, name in zip(train, hashes, strict=True) if name in chosen),
    )


def _as_said(by: Parted, files: Sequence[Path], knobs: Knobs) -> Split:
    placed = [(row, by.is_apart((path, row.line))) for path in files for row in _rows([path])]
    return Split(
        train=tuple(row for row, is_apart in placed if not is_apart),
        held_out=tuple(row for row, is_apart in placed if is_apart)[: knobs.held_out_rows_max],
        by=by,
    )


def name_of(row: Row) -> str:
    """Name a row by all that stands in it."""
    told = [message.told() for message in row.messages]
    text = json.dumps([told, row.tools], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _names(rows: Sequence[Row]) -> list[str]:
    """Give one name to rows that say the same in other capitals: all stand on one side."""
    digests = [digest(row) for row in rows]
    firsts: dict[bytes, str] = {}
    for same, name in zip(digests, map(name_of, rows), strict=True):
        firsts[same] = min(name, firsts.get(same, name))
    return [firsts[same] for same in digests]


def _rows(files: Sequence[Path]) -> tuple[Row, ...]:
    rows = []
    for path in files:
        for item in read(path):
            if isinstance(item, RowProblem):
                raise refuse(item, path.name)
            rows.append(item)
    return tuple(rows)

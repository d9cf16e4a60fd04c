"""Reads the pairs of a run, keeps some apart for scoring, and lays them out to learn from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from fabriek_recipes import split_column
from fabriek_recipes.conversations import Row
from fabriek_recipes.pairs import Pair, read_pairs
from fabriek_recipes.prefer_lm.knobs import Knobs
from fabriek_recipes.rows import NO_ROWS, RowProblem, files_of
from fabriek_recipes.split_column import Parted
from fabriek_recipes.training.encoding import Encoded
from fabriek_recipes.training.held_out import apart
from fabriek_recipes.training.packing import Example, pack
from fabriek_recipes.training.preference import Answer
from fabriek_recipes.training.run import refuse
from fabriek_recipes.words import Failed

Likelihoods = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Pairs to learn from and pairs to score on."""

    train: tuple[Pair, ...]
    held_out: tuple[Pair, ...]
    by: Parted | None = None  # what said which pairs are kept apart, where a column did


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EncodedPair:
    """The two answers of a pair in tokens, each after the question."""

    chosen: Encoded
    rejected: Encoded

    @property
    def examples(self) -> tuple[Example, Example]:
        """Both, the better one first."""
        return self.chosen.example, self.rejected.example

    @property
    def line(self) -> int:
        """Where it stands."""
        return self.chosen.row.line

    @property
    def tokens(self) -> int:
        """Count the tokens of both together."""
        return sum(len(each.ids) for each in self.examples)

    @property
    def longest(self) -> int:
        """Give the tokens of the longer one."""
        return max(len(each.ids) for each in self.examples)


def split(dataset: Path, knobs: Knobs) -> Split:
    """Read every pair; keep some apart: the dataset's own file, those a column says, or by lot.

    By lot all pairs of one question fall on the same side.

    Raises:
        Failed: `bad_row` with the line of the first bad row; `no_rows`.
    """
    contents = files_of(dataset)
    if not contents.train:
        raise Failed("no_rows", NO_ROWS)
    train = _pairs(contents.train)
    if contents.held_out:
        return Split(train=train, held_out=_pairs(contents.held_out)[: knobs.held_out_rows_max])
    if by := split_column.of_rows(contents.train):
        return _as_said(by, contents.train, knobs)
    hashes = [name_of(pair.chosen) for pair in train]
    chosen = apart(hashes, percent=knobs.held_out_percent, most=knobs.held_out_rows_max)
    return Split(
        train=tuple(
            pair for pair, name in zip(train, hashes, strict=True) if name not in chosen
        ),
        held_out=tuple(
            pair for pair, name in zip(train, hashes, strict=True) if name in chosen
        ),
    )


def _as_said(by: Parted, files: Sequence[Path], knobs: Knobs) -> Split:
    placed = [
        (pair, by.is_apart((path, pair.line))) for path in files for pair in _pairs([path])
    ]
    return Split(
        train=tuple(pair for pair, is_apart in placed if not is_apart),
        held_out=tuple(pair for pair, is_apart in placed if is_apart)[
            : knobs.held_out_rows_max
        ],
        by=by,
    )


def name_of(row: Row) -> str:
    """Name a pair by its question: all pairs of one stay on one side."""
    asked = [message.told() for message in row.messages[:-1]]
    text = json.dumps([asked, row.tools], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def packed(
    pairs: Sequence[EncodedPair], reference: Likelihoods, width: int
) -> list[list[Example]]:
    """Fill rows of `width` tokens with whole pairs, and what the base model said of each."""
    whole = {}
    for pair, told in zip(pairs, reference, strict=True):
        both = [
            Answer(each.ids, each.learn_from, each.skipped, reference)
            for each, reference in zip(pair.examples, told, strict=True)
        ]
        stand_in = Example(torch.cat([each.ids for each in both]), 1)
        whole[stand_in] = both
    rows = pack(list(whole), width)
    return [[answer for stand_in in row for answer in whole[stand_in]] for row in rows]


def _pairs(files: Sequence[Path]) -> tuple[Pair, ...]:
    pairs = []
    for path in files:
        for item in read_pairs(path):
            if isinstance(item, RowProblem):
                raise refuse(item, path.name)
            pairs.append(item)
    return tuple(pairs)

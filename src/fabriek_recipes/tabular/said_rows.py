"""Rows of a table of which a column says what they are there for: nothing is left to lot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fabriek_recipes import split_column
from fabriek_recipes.split_column import CHOOSE, SCORE
from fabriek_recipes.tables import Table
from fabriek_recipes.tabular.knobs import Knobs
from fabriek_recipes.tabular.reading import Codes
from fabriek_recipes.training.held_out import HALF_MIN
from fabriek_recipes.training.process import Job


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Said:
    """Places of rows: to learn from, to know when to stop (perhaps none), to score on."""

    name: str
    learn: Codes
    choose: Codes
    score: Codes


def name_in(table: Table, knobs: Knobs) -> str:
    """Name the column that divides the rows, where nothing else was chosen; or nothing."""
    if knobs.split_by != "rows":
        return ""
    words = {name: column.words for name, column in table.columns.items()}
    return split_column.column_of(words, knobs.left_out | {knobs.target_name})


def divided(job: Job[Knobs], table: Table, known: Codes) -> Said | None:
    """Divide the rows whose answer is known as the column says; tell so on the run's page.

    Few rows of validation, or all there is, are scored on. Nothing where none of them has a
    known answer: then some of the others have to be kept apart.
    """
    name = name_in(table, job.knobs)
    if not name:
        return None
    column = table.columns[name]
    of_word = [split_column.part_of(word) for word in column.words]
    parts = [of_word[code] if code >= 0 else "" for code in column.codes]
    choose, score = (_those(parts, known, which) for which in (CHOOSE, SCORE))
    if min(len(choose), len(score)) < HALF_MIN:
        choose, score = choose[:0], np.union1d(choose, score)
    if not len(score):
        return None
    is_apart = np.array([part in {CHOOSE, SCORE} for part in parts])[known]
    apart = [parts[row] for row in known[is_apart].tolist()]
    said = split_column.told(name, apart, rows=len(known))
    job.events.warning("split_column", said)
    return Said(name=name, learn=known[~is_apart], choose=choose, score=score)


def _those(parts: list[str], known: Codes, which: str) -> Codes:
    return np.array([row for row in known.tolist() if parts[row] == which], dtype=np.int64)

"""What is predicted: a number, or one of a few labels, and how it is read from a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fabriek_recipes.number_styles import Style, Unclear
from fabriek_recipes.tables import Column, Table
from fabriek_recipes.tabular import columns, reading
from fabriek_recipes.tabular.estimating import NUMBERS_FROM
from fabriek_recipes.tabular.knobs import Knobs
from fabriek_recipes.tabular.reading import Matrix
from fabriek_recipes.words import Failed, _

LABELS_MAX = 200


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """The labels (none for a number), and the answers of a table, NaN where there is none."""

    labels: list[str]
    style: Style
    truth: Callable[[Table], Matrix]


def find(table: Table, knobs: Knobs) -> Target:
    """Find what the target holds: labels, or a number.

    Raises:
        Failed: where it is neither, or a number that can be read in two ways.
    """
    column = table.columns[knobs.target_name]
    # Labels are words: what stands in them is not worked with.
    unclear: Unclear = "decimals" if knobs.task == "classes" else knobs.unclear_numbers
    style = reading.style_of(knobs.target_name, table, unclear)
    read = reading.numbers_of(column.words, style)
    is_numeric = not np.isnan(read).any()
    task = knobs.task
    if task == "auto":
        task = "number" if is_numeric and len(column.words) > NUMBERS_FROM else "classes"
    if task == "number":
        return _number(knobs, table, read, style)
    return _labels(knobs, column)


def _number(knobs: Knobs, table: Table, read: Matrix, style: Style) -> Target:
    column = table.columns[knobs.target_name]
    values = columns.spread(read, columns.codes_of(column))
    bad = np.flatnonzero(np.isnan(values) & (columns.codes_of(column) >= 0))
    if len(bad):
        # Not what stands there: the data may be lent, to learn from and not to be read.
        text = _(
            "Column “%(name)s” is to be a number, and holds another text in line %(line)s; "
            "mend it, or predict it as one of a few labels."
        )
        line = table.lines[int(bad[0])]
        raise Failed("bad_target", text, name=knobs.target_name, line=line)

    def truth(table: Table) -> Matrix:
        found = table.columns.get(knobs.target_name)
        if found is None:
            return np.full(len(table), np.nan)
        values = reading.numbers_of(found.words, style)
        return columns.spread(values, columns.codes_of(found))

    return Target([], style, truth)


def _labels(knobs: Knobs, column: Column) -> Target:
    counts = np.bincount(
        [code for code in column.codes if code >= 0] or [0], minlength=len(column.words)
    )
    if len(column.words) > LABELS_MAX:
        text = _(
            "Column “%(name)s” holds %(count)s different texts; at most %(most)s can be told "
            "apart. Predict another column, or say that it is a number."
        )
        raise Failed(
            "bad_target",
            text,
            name=knobs.target_name,
            count=len(column.words),
            most=LABELS_MAX,
        )
    # By frequency, so that of two labels the second is the rarer: the one that is looked for.
    ordered = sorted(range(len(column.words)), key=lambda c: (-counts[c], column.words[c]))
    labels = [column.words[code] for code in ordered]
    places = {label: float(place) for place, label in enumerate(labels)}

    def truth(table: Table) -> Matrix:
        found = table.columns.get(knobs.target_name)
        if found is None:
            return np.full(len(table), np.nan)
        values = np.array([places.get(word, np.nan) for word in found.words], dtype=float)
        return columns.spread(values, columns.codes_of(found))

    return Target(labels, "point", truth)

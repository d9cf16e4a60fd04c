"""The columns to predict from: which may be learned from, and which give the answer away."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from fabriek_recipes import tables
from fabriek_recipes.events import Events
from fabriek_recipes.tables import Column, Table
from fabriek_recipes.tabular import columns, reading
from fabriek_recipes.tabular.columns import Meaning
from fabriek_recipes.tabular.knobs import Knobs
from fabriek_recipes.tabular.reading import Matrix
from fabriek_recipes.tabular.target import Target
from fabriek_recipes.words import Failed, Sentence, _

# What is compared with the answer must be known in so many rows.
ROWS_MIN = 10
# A word must have stood in this many rows before it may be said to give the answer away.
ROWS_PER_WORD = 5
SAME = 0.99999
WARNINGS_MAX = 8


def meanings(
    events: Events,
    table: Table,
    knobs: Knobs,
    target: Target,
    truth: Matrix,
    skipped: Collection[str],
) -> list[Meaning]:
    """Find what each column means that may be learned from.

    Raises:
        Failed: one gives the answer away, or none is left.
    """
    skipped = knobs.left_out | {knobs.target_name, *skipped}
    if knobs.split_by == "group":
        skipped |= {knobs.split_name}  # a new group has a new name: there is nothing in it
    found, warned = [], 0
    for name, column in table.columns.items():
        if name in skipped:
            continue
        style = reading.style_of(name, table, knobs.unclear_numbers)
        one = columns.meaning(name, column, style)
        _refuse_leak(name, column, one, knobs, truth if target.labels else None)
        if one is None:
            warned += _tell_left_out(events, name, column) if warned < WARNINGS_MAX else 0
            continue
        if not target.labels:
            _refuse_same(one, table, knobs, truth)
        warned += _tell_unreadable(events, one, table) if warned < WARNINGS_MAX else 0
        found.append(one)
    _tell_commas(events, found)
    if not found:
        text = _("No column is left to predict “%(name)s” from; add columns to the table.")
        raise Failed("no_columns", text, name=knobs.target_name)
    return found


def _refuse_leak(
    name: str, column: Column, one: Meaning | None, knobs: Knobs, truth: Matrix | None
) -> None:
    """Refuse a column of which each word has one label only, and stood in several rows."""
    codes = columns.codes_of(column)
    if truth is None or one is None or not len(column.words):
        return
    known = (codes >= 0) & ~np.isnan(truth)
    if known.sum() < max(ROWS_PER_WORD * len(column.words), 0.9 * len(codes)):
        return
    pairs = np.unique(np.stack([codes[known], truth[known].astype(np.int64)]), axis=1)
    if pairs.shape[1] == len(np.unique(pairs[0])) and len(np.unique(pairs[1])) > 1:
        raise _leak(name, knobs)


def _refuse_same(one: Meaning, table: Table, knobs: Knobs, truth: Matrix) -> None:
    if one.kind != "number":
        return
    values = columns.matrix([one], table)[:, 0]
    known = ~np.isnan(values) & ~np.isnan(truth)
    if known.sum() < ROWS_MIN or values[known].std() == 0 or truth[known].std() == 0:
        return
    if abs(np.corrcoef(values[known], truth[known])[0, 1]) > SAME:
        raise _leak(one.name, knobs)


def _leak(name: str, knobs: Knobs) -> Failed:
    text = _(
        "Column “%(column)s” says the same as “%(target)s”, so the model would only copy it. "
        "Name it under “Leave these columns out”."
    )
    return Failed("leak", text, column=name, target=knobs.target_name)


def _tell_commas(events: Events, found: Sequence[Meaning]) -> None:
    """Say where numbers were not read as programs write them."""
    ways = (
        ("comma", _("A comma was read as the beginning of decimals in: %(names)s.")),
        ("english", _("A comma was read as dividing thousands in: %(names)s.")),
    )
    for style, text in ways:
        names = [one.name for one in found if one.kind == "number" and one.style == style]
        if names:
            events.warning("commas", Sentence(text, names=tables.listed(names)))


def _tell_left_out(events: Events, name: str, column: Column) -> int:
    if len(column.words) < 2:  # noqa: PLR2004
        text = _("Column “%(name)s” is the same everywhere and was left out.")
    elif columns.is_text(column):
        text = _("Column “%(name)s” holds free text and was left out: this recipe cannot read.")
    else:
        text = _("Column “%(name)s” only names rows and was left out: new rows have new names.")
    events.warning("column_left_out", Sentence(text, name=name))
    return 1


def _tell_unreadable(events: Events, one: Meaning, table: Table) -> int:
    bad = columns.unreadable(table.columns[one.name], one)
    if not len(bad):
        return 0
    text = _(
        "Cells in column “%(name)s” that cannot be read and count as missing: %(count)s, the "
        "first in line %(line)s."
    )
    line = table.lines[int(bad[0])]
    events.warning("cells", Sentence(text, name=one.name, count=len(bad), line=line))
    return 1

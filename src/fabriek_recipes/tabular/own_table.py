"""Rows kept apart in a table of their own: which can be scored, and which were learned from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fabriek_recipes.tables import Table
from fabriek_recipes.tabular import apart_rows
from fabriek_recipes.tabular.knobs import Knobs
from fabriek_recipes.tabular.reading import Codes
from fabriek_recipes.tabular.target import Target
from fabriek_recipes.training.process import Job
from fabriek_recipes.words import Failed, _, counted


def scored(job: Job[Knobs], target: Target, table: Table) -> Codes:
    """Give the rows of a table of their own that can be scored, and tell how many cannot."""
    rows: Codes = np.flatnonzero(~np.isnan(target.truth(table)))
    name = job.knobs.target_name
    if not len(rows):
        text = _("No row kept apart for scoring has a value in “%(name)s” that is known.")
        raise Failed("no_held_out", text, name=name)
    if left := len(table) - len(rows):
        said = counted(
            _(
                "%(count)s of %(rows)s rows kept apart was not scored: “%(name)s” is empty "
                "there, or holds what no row to learn from has. The scores say nothing of it."
            ),
            _(
                "%(count)s of %(rows)s rows kept apart were not scored: “%(name)s” is empty "
                "there, or holds what no row to learn from has. The scores say nothing of them."
            ),
            count=left,
            rows=len(table),
            name=name,
        )
        job.events.warning("rows_left_out", said)
    return rows


def tell_same(
    job: Job[Knobs],
    learned: tuple[Table, Codes],
    apart: tuple[Table, Codes],
    used: Sequence[str],
) -> int:
    """Tell how many rows of a table of their own also stand among those learned from."""
    names = [*used, job.knobs.target_name]
    (table, rows), (other, scored) = learned, apart
    looks = apart_rows.equal_in(table, names)
    known = {looks[row] for row in rows.tolist()}
    if len(known) * apart_rows.ROWS_PER_LOOK_MAX < len(rows):
        return 0  # few looks for many rows: equal rows are no copies
    others = apart_rows.equal_in(other, names)
    same = sum(others[row] in known for row in scored.tolist())
    if same:
        said = counted(
            _(
                "%(count)s of %(rows)s rows kept apart is also among those learned from, so "
                "the scores are too good; take it out of one of the two."
            ),
            _(
                "%(count)s of %(rows)s rows kept apart are also among those learned from, so "
                "the scores are too good; take them out of one of the two."
            ),
            count=same,
            rows=len(scored),
        )
        job.events.warning("same_rows", said)
    return same

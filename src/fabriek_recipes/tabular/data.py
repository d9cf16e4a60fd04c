"""Reads the table of a run, finds what its columns mean, and keeps rows apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fabriek_recipes import tables
from fabriek_recipes.events import Events
from fabriek_recipes.number_styles import Style
from fabriek_recipes.tables import Table
from fabriek_recipes.tabular import apart_rows, columns, others, own_table, said_rows
from fabriek_recipes.tabular import target as targets
from fabriek_recipes.tabular.columns import Meaning
from fabriek_recipes.tabular.knobs import Knobs, column_problems
from fabriek_recipes.tabular.reading import Codes, Matrix
from fabriek_recipes.tabular.said_rows import Said
from fabriek_recipes.tabular.target import Target
from fabriek_recipes.training.process import Job
from fabriek_recipes.words import Failed, Sentence, _

ROWS_MIN = 10
RARE_SHARE, RARE_ROWS = 0.05, 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """Rows of one purpose: features (N, F), the answer (a code or a number), their places."""

    features: Matrix
    truth: Matrix
    rows: Codes

    @property
    def codes(self) -> Codes:
        """The answers as labels."""
        return self.truth.astype(np.int64)

    def __len__(self) -> int:
        """Count rows."""
        return len(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Data:
    """All of a run: what columns mean, the labels (none for a number), and the four parts."""

    meanings: list[Meaning]
    labels: list[str]
    target_style: Style
    learn: Part
    stop: Part
    calibrate: Part
    held_out: Part
    table: Table
    """The table of which `held_out.rows` are places."""
    groups: Codes | None
    """The group of each row kept apart, where whole groups were."""
    same: int
    """Rows that were given to be kept apart and are also learned from."""
    divided_by: str = ""
    """The column that says which rows are kept apart, if one does."""

    @property
    def is_number(self) -> bool:
        """Tell a number from labels."""
        return not self.labels


def read(job: Job[Knobs]) -> Data:
    """Read, find out, refuse what gives the answer away, and split.

    Raises:
        Failed: with the column or the row that stands in the way.
    """
    knobs = job.knobs
    files = tables.files_of(job.input("dataset"))
    table = tables.load(files.train)
    for problem in column_problems(knobs, tuple(table.columns)):
        raise Failed("bad_column", problem.msgid, **dict(problem.values))
    target = targets.find(table, knobs)
    truth = target.truth(table)
    known = np.flatnonzero(~np.isnan(truth))
    _require_enough(truth[known], known, knobs)
    _tell_missing(job.events, len(table) - len(known), knobs)
    # What divides rows says nothing of new ones.
    by = {said_rows.name_in(table, knobs)}
    meanings = others.meanings(job.events, table, knobs, target, truth, by)
    used = [one.name for one in meanings]
    said = None if files.held_out else said_rows.divided(job, table, known)
    apart = said.score if said else _apart(job, table, known, files.held_out, used)
    apart_table, rest = table, said.learn if said else known
    if apart is None:
        apart_table = tables.load(files.held_out)
        apart = own_table.scored(job, target, apart_table)
    elif said:
        _require_enough(truth[rest], rest, knobs)
    else:
        rest = np.setdiff1d(known, apart)
    both = (table, rest), (apart_table, apart)
    # By lot nothing stands on both sides.
    same = own_table.tell_same(job, *both, used) if said or files.held_out else 0
    learn, stop, calibrate = _parts(job, table, rest, said, used)
    _require_labels(target, truth[learn], knobs)
    _tell_imbalance(job.events, target, truth[rest])

    whole = columns.matrix(meanings, table)

    def part(rows: Codes) -> Part:
        return Part(features=whole[rows], truth=truth[rows], rows=rows)

    return Data(
        meanings=meanings,
        labels=target.labels,
        target_style=target.style,
        learn=part(learn),
        stop=part(stop),
        calibrate=part(calibrate),
        held_out=part(apart)
        if apart_table is table
        else Part(
            features=columns.matrix(meanings, apart_table)[apart],
            truth=target.truth(apart_table)[apart],
            rows=apart,
        ),
        table=apart_table,
        groups=_groups(knobs, apart_table, apart),
        same=same,
        divided_by=said.name if said else "",
    )


def _parts(
    job: Job[Knobs], table: Table, rest: Codes, said: Said | None, used: Sequence[str]
) -> tuple[Codes, Codes, Codes]:
    """Divide what is learned from; rows of validation say when to stop, if there are any."""
    learn, stop, calibrate = apart_rows.parts(rest, table, job.knobs, used)
    if said and len(said.choose):
        learn, stop = np.union1d(learn, stop), said.choose
    return learn, stop, calibrate


# --- the target --------------------------------------------------------------------------
def _require_enough(truth: Matrix, known: Codes, knobs: Knobs) -> None:
    if len(known) < ROWS_MIN:
        text = _(
            "Rows with a value in “%(name)s”: %(count)s. At least %(most)s are needed, and "
            "some hundreds to learn anything of use."
        )
        raise Failed(
            "too_few_rows", text, count=len(known), name=knobs.target_name, most=ROWS_MIN
        )
    if len(np.unique(truth)) < 2:  # noqa: PLR2004
        text = _("Column “%(name)s” is the same in every row, so there is nothing to predict.")
        raise Failed("one_label", text, name=knobs.target_name)


def _require_labels(target: Target, truth: Matrix, knobs: Knobs) -> None:
    """Refuse where the rows apart took all rows of each label but one."""
    if target.labels and len(np.unique(truth)) < 2:  # noqa: PLR2004
        text = _(
            "The rows left to learn from all have the same “%(name)s”; keep other rows apart, "
            "or fewer of them."
        )
        raise Failed("one_label", text, name=knobs.target_name)


# --- what is told of rows ----------------------------------------------------------------
def _tell_missing(events: Events, count: int, knobs: Knobs) -> None:
    if count:
        text = _("Rows left out, as they have no value in “%(name)s”: %(count)s.")
        events.warning("rows_left_out", Sentence(text, count=count, name=knobs.target_name))


def _tell_imbalance(events: Events, target: Target, truth: Matrix) -> None:
    if not target.labels:
        return
    counts = np.bincount(truth.astype(np.int64), minlength=len(target.labels))
    rarest = int(counts.argmin())
    if counts[rarest] < max(RARE_ROWS, RARE_SHARE * counts.sum()):
        text = _(
            "Label “%(name)s” stands in %(count)s of %(rows)s rows: look at its own scores, as "
            "a high accuracy says little of it."
        )
        words = target.labels[rarest][:60]
        events.warning(
            "rare_label",
            Sentence(text, name=words, count=int(counts[rarest]), rows=int(counts.sum())),
        )


# --- keeping rows apart ------------------------------------------------------------------
def _apart(
    job: Job[Knobs],
    table: Table,
    known: Codes,
    files: tuple[Path, ...],
    used: Sequence[str],
) -> Codes | None:
    """Choose the rows to score on; none where files of their own hold them."""
    knobs = job.knobs
    if files:
        return None
    wanted = max(1, round(len(known) * knobs.held_out_percent / 100))
    if knobs.split_by == "time":
        return apart_rows.latest(table, known, knobs, wanted)
    return apart_rows.by_hash(apart_rows.names_of(table, knobs, used), known, wanted)


def _groups(knobs: Knobs, table: Table, rows: Codes) -> Codes | None:
    if knobs.split_by != "group":
        return None
    names = apart_rows.groups_of(table, knobs)
    found: Codes = np.unique([names[row] for row in rows.tolist()], return_inverse=True)[1]
    return found

"""Which rows of a table are kept apart: the latest, whole groups, or some by their hash."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from fabriek_recipes.tables import Table
from fabriek_recipes.tabular import columns, reading
from fabriek_recipes.tabular.knobs import Knobs
from fabriek_recipes.tabular.reading import Codes, Matrix
from fabriek_recipes.words import Failed, _

CALIBRATION_ROWS_MIN = 200
# Above this many equal rows to each look, equal rows are no copies of one another.
ROWS_PER_LOOK_MAX = 10
STOP_SHARE, CALIBRATION_SHARE = 0.15, 0.15


def latest(table: Table, known: Codes, knobs: Knobs, wanted: int) -> Codes:
    """Keep the latest rows apart; rows of one moment stay together."""
    moments = _moments(table, knobs, known)
    first = np.sort(moments)[-wanted]
    later: Codes = known[moments >= first]
    if len(later) == len(known):
        text = _("Column “%(name)s” is the same in most rows; it cannot divide them.")
        raise Failed("bad_split", text, name=knobs.split_name)
    return later


def _moments(table: Table, knobs: Knobs, rows: Codes) -> Matrix:
    """Give the moment of each of these rows.

    A row without one may be of any time: learned from, it could tell what comes.
    """
    column = table.columns[knobs.split_name]
    read = reading.moments_of(column.words, reading.order_of(column.words))
    if np.isnan(read).all():
        style = reading.style_of(knobs.split_name, table, knobs.unclear_numbers)
        read = reading.numbers_of(column.words, style)
    if np.isnan(read).all():
        text = _("Column “%(name)s” holds neither days nor numbers; choose another.")
        raise Failed("bad_split", text, name=knobs.split_name)
    found = columns.spread(read, columns.codes_of(column))[rows]
    bad = np.flatnonzero(np.isnan(found))
    if len(bad):
        text = _(
            "In line %(line)s column “%(name)s” holds no moment as the others do; mend it or "
            "take the row out, as nobody can tell whether it comes first or last."
        )
        line = table.lines[int(rows[bad[0]])]
        raise Failed("bad_split", text, name=knobs.split_name, line=line)
    return found


def names_of(table: Table, knobs: Knobs, used: Sequence[str]) -> list[str]:
    """Name what must stay together: a group, or rows that are equal in all that is used.

    A column that is left out or only names rows would tell twins apart. Where most rows are
    equal to many others, they are no twins: the columns can say no more than that.
    """
    if knobs.split_by == "group":
        return groups_of(table, knobs)
    names = equal_in(table, used)
    if len(set(names)) * ROWS_PER_LOOK_MAX < len(names):
        return [f"{name}\0{row}" for row, name in enumerate(names)]
    return names


def groups_of(table: Table, knobs: Knobs) -> list[str]:
    """Name the group of each row."""
    column = table.columns.get(knobs.split_name)
    if column is None:
        return [""] * len(table)
    words = [*column.words, ""]
    return [words[code] for code in column.codes]


def equal_in(table: Table, used: Sequence[str]) -> list[str]:
    """Name each row by what stands in these columns."""
    chosen = [table.columns[name] for name in used if name in table.columns]
    pairs = [([*one.words, ""], one.codes) for one in chosen]
    return ["\0".join(words[codes[row]] for words, codes in pairs) for row in range(len(table))]


def by_hash(names: list[str], known: Codes, wanted: int) -> Codes:
    """Take the rows whose names have the lowest hash, about as many as wanted."""
    hashed: dict[str, list[int]] = {}
    for row in known.tolist():
        hashed.setdefault(hashlib.sha256(names[row].encode()).hexdigest(), []).append(row)
    taken: list[int] = []
    for key in sorted(hashed):
        if len(taken) >= wanted:
            break
        taken += hashed[key]
    if len(hashed) < 2 or len(taken) == len(known):  # noqa: PLR2004
        raise Failed(
            "one_group",
            _("All rows are alike or of one group, so that none can be kept apart."),
        )
    return np.array(sorted(taken), dtype=np.int64)


def parts(
    rest: Codes, table: Table, knobs: Knobs, used: Sequence[str]
) -> tuple[Codes, Codes, Codes]:
    """Divide what is learned from: to learn, to know when to stop, to set the chances right."""
    if knobs.split_by == "time":
        moments = _moments(table, knobs, rest)
        return _divided(rest[np.argsort(moments, kind="stable")], None)
    names = names_of(table, knobs, used)
    found = _divided(_shuffled(rest, names), names)
    if len(found[0]) and len(found[1]):
        return found
    # Too few groups to keep whole. None of these rows is scored on: the score stays honest.
    return _divided(_shuffled(rest, [str(row) for row in range(len(table))]), None)


def _shuffled(rest: Codes, names: Sequence[str]) -> Codes:
    keys = {row: hashlib.sha256(f"2{names[row]}".encode()).hexdigest() for row in rest.tolist()}
    return np.array(sorted(rest.tolist(), key=lambda row: keys[row]), dtype=np.int64)


def _divided(ordered: Codes, names: Sequence[str] | None) -> tuple[Codes, Codes, Codes]:
    rows = len(ordered)
    stop = max(1, round(rows * STOP_SHARE))
    right = round(rows * CALIBRATION_SHARE) if rows >= CALIBRATION_ROWS_MIN else 0
    first = _whole(names, ordered, rows - stop - right)
    last = _whole(names, ordered, rows - right)
    return np.sort(ordered[:first]), np.sort(ordered[first:last]), np.sort(ordered[last:])


def _whole(names: Sequence[str] | None, ordered: Codes, place: int) -> int:
    """Move a border so that it does not cut through rows of one name."""
    while (
        names
        and 0 < place < len(ordered)
        and (names[ordered[place]] == names[ordered[place - 1]])
    ):
        place += 1
    return place

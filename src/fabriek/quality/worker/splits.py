"""What is there to learn from and what to test with: told by a path, or by a column."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain

import duckdb

from fabriek.quality.worker.engine import quoted, quoted_text
from fabriek.quality.worker.table import Table
from fabriek_recipes.split_column import PARTS

TRAIN = "train"
SPLITS = {
    "train": TRAIN, "training": TRAIN, "test": "test", "tests": "test", "testing": "test",
    "valid": "validation", "validation": "validation", "val": "validation", "dev": "validation",
    "eval": "validation", "evaluation": "validation", "heldout": "validation",
}  # fmt: skip
# As recipes go by them; a path with these words may be of anything.
OF_CELLS = PARTS
LONGEST_CELL = 20
FIRST_ROWS = 1_000
MOST_COLUMNS = 300


def split_of(path: str) -> str:
    """Read off a path whether it is there to learn from or to test with; "" says neither."""
    for part in reversed(path.casefold().split("/")):
        for word in re.split(r"[^a-z]+", part):
            if word in SPLITS:
                return SPLITS[word]
    return ""


def is_apart(part: str) -> bool:
    """Tell whether rows of this part are kept from training."""
    return part not in {"", TRAIN}


def rows_apart(table: Table) -> int:
    """Count rows that are kept from training."""
    return sum(count for part, count in table.parts.items() if is_apart(part))


def read(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> None:
    """Note of each table which column parts it, and how many rows are in each part."""
    columns = [_columns_of(connection, table) for table in tables]
    together: defaultdict[str, set[str]] = defaultdict(set)
    for name, parts in chain.from_iterable(each.items() for each in columns):
        together[name] |= parts
    for table, its in zip(tables, columns, strict=True):
        table.split_column = next((name for name in its if len(together[name]) > 1), "")
        table.parts = Counter({split_of(table.path): table.rows})
        if table.split_column:
            asked = f"SELECT {part_of(table)}, count(*) FROM {table.view} GROUP BY 1"  # noqa: S608
            table.parts = Counter(dict(connection.execute(asked).fetchall()))


def part_of(table: Table) -> str:
    """Give what tells of each row in which part it is, in SQL."""
    if not table.split_column:
        return quoted_text(split_of(table.path))
    return f"coalesce({_part(table.split_column)}, '')"


def _columns_of(connection: duckdb.DuckDBPyConnection, table: Table) -> dict[str, set[str]]:
    """Find columns with these words and nothing else, whatever they are called.

    One word is enough for a file, as the others may hold the other words.
    """
    names = table.texts()[:MOST_COLUMNS]
    first = f"(SELECT {', '.join(map(quoted, names))} FROM {table.view} LIMIT {FIRST_ROWS})"  # noqa: S608
    likely = [name for name, parts in _parts(connection, names, first) if parts]
    return {name: parts for name, parts in _parts(connection, likely, table.view) if parts}


def _parts(
    connection: duckdb.DuckDBPyConnection, names: Sequence[str], relation: str
) -> Iterator[tuple[str, set[str]]]:
    """Give the different parts in each column; none where it also holds anything else."""
    if not names:
        return
    asked = ", ".join(
        f"CASE WHEN bool_and(trim({quoted(name)}) = '' OR {_part(name)} IS NOT NULL) "
        f"THEN list(DISTINCT {_part(name)}) ELSE [] END"
        for name in names
    )
    row = connection.execute(f"SELECT {asked} FROM {relation}").fetchone() or ()  # noqa: S608
    for name, parts in zip(names, row, strict=True):
        yield name, {part for part in parts or () if part}


def _part(name: str) -> str:
    """Read a cell, in SQL; nothing where it holds anything else, or very much."""
    column = quoted(name)
    word = f"regexp_replace(lower({column}), '[ _-]', '', 'g')"
    parts = [
        f"WHEN {word} IN ({_listed(part)}) THEN {quoted_text(part)}"
        for part in dict.fromkeys(OF_CELLS.values())
    ]
    cases = f"CASE {' '.join(parts)} END"
    return f"CASE WHEN length({column}) <= {LONGEST_CELL} THEN {cases} END"


def _listed(part: str) -> str:
    return ", ".join(quoted_text(word) for word, told in OF_CELLS.items() if told == part)

"""The same row twice, and rows of a test that are in the training too.

A column that only numbers the rows makes no row another: each file is often numbered anew. Nor
does one that tells in which part it is.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import duckdb

from fabriek.quality.worker import splits
from fabriek.quality.worker.engine import quoted, quoted_text
from fabriek.quality.worker.job import Json, problem
from fabriek.quality.worker.rules import words_of
from fabriek.quality.worker.table import TEXT, Table, count

FEWEST_CHARACTERS = 32
AT_ONCE = 5_000
MOST_PAIRS = 20
MOST_COLUMNS = 200
MOST_NUMBERINGS = 10  # each asked for costs a pass
NUMBERING = {
    "id", "ids", "index", "idx", "key", "no", "nr", "number", "nummer", "uuid", "guid", "rowid",
    "rownumber", "rijnummer", "volgnummer", "volgnr", "unnamed",
}  # fmt: skip


def exact(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> list[Json]:
    """Compare all rows by a hash of what stands in them, in whichever file they are.

    A quick one first: only rows that share it are read as text, and get a fingerprint.
    """
    for table in tables:
        table.numbering = _numbering(connection, table)
    connection.execute("CREATE OR REPLACE TABLE quick (print UBIGINT)")
    asked = _quick(tables)
    for table, quick in zip(tables, asked, strict=True):
        connection.execute(
            f"INSERT INTO quick SELECT {quick} FROM {table.view} "  # noqa: S608
            f"WHERE {_is_something(table)}"
        )
    connection.execute(
        "CREATE OR REPLACE TABLE shared AS "
        "SELECT print FROM quick GROUP BY 1 HAVING count(*) > 1"
    )
    connection.execute("DROP TABLE quick")
    connection.execute(
        "CREATE OR REPLACE TABLE fingerprints "
        "(file INTEGER, row BIGINT, print UHUGEINT, part VARCHAR)"
    )
    for number, table in enumerate(tables if count(connection, "shared") else ()):
        connection.execute(
            f"INSERT INTO fingerprints SELECT {number}, _row, {_print(table)}, "  # noqa: S608
            f"{splits.part_of(table)} FROM {table.view} WHERE {_is_something(table)} "
            f"AND {asked[number]} IN (FROM shared)"
        )
    connection.execute(
        "CREATE OR REPLACE TABLE doubles AS SELECT print, count(*) AS often, "
        "min(file * 1000000000000 + row) AS first FROM fingerprints GROUP BY 1 "
        "HAVING count(*) > 1"
    )
    return [
        told
        for number, table in enumerate(tables)
        if (told := _exact_in(connection, tables, number, table))
    ]


def _exact_in(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[Table], number: int, table: Table
) -> Json | None:
    """Tell of the rows of one file that stood somewhere before."""
    found = connection.execute(
        "SELECT row, first FROM fingerprints JOIN doubles USING (print) "
        "WHERE file = ? AND first <> file * 1000000000000 + row ORDER BY row LIMIT 20",
        [number],
    ).fetchall()
    if not found:
        return None
    counted = connection.execute(
        "SELECT count(*) FROM fingerprints JOIN doubles USING (print) "
        "WHERE file = ? AND first <> file * 1000000000000 + row",
        [number],
    ).fetchone()
    told = problem("same_rows", "attention", path=table.path, rows=[row for row, _at in found],
                   count=counted[0] if counted else 0)  # fmt: skip
    told["pairs"] = [[row, *_place(tables, first)] for row, first in found]
    return told


def leaks(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> list[Json]:
    """Tell which rows kept apart for testing are rows of the training as well."""
    told = []
    among = (
        "FROM fingerprints WHERE file = ? AND part NOT IN ('', $train) AND print IN "
        "(SELECT print FROM fingerprints WHERE part = $train)"
    ).replace("$train", quoted_text(splits.TRAIN))
    for number, table in enumerate(tables):
        rows = connection.execute(
            f"SELECT row {among} ORDER BY 1 LIMIT 20", [number]
        ).fetchall()
        counted = connection.execute(f"SELECT count(*) {among}", [number]).fetchone()
        if rows and counted:
            told.append(problem("leak", "wrong", path=table.path, column=table.split_column,
                                rows=[row[0] for row in rows], count=counted[0],
                                of=splits.rows_apart(table)))  # fmt: skip
    return told


def _quick(tables: Sequence[Table]) -> list[str]:
    """Hash rows of each as they are: equal wherever `_print` is, and by chance where it is not.

    Text is made, which is dear, only of what has another type in another table.
    """
    types: dict[tuple[int, int], set[str]] = defaultdict(set)
    for table in tables:
        names = _compared(table)
        for place, name in enumerate(names):
            types[len(names), place].add(table.columns[name])
    return [f"hash({', '.join(_cells(table, types))})" for table in tables]


def _cells(table: Table, types: dict[tuple[int, int], set[str]]) -> Iterator[str]:
    names = _compared(table)
    for place, name in enumerate(names):
        is_alike = len(types[len(names), place]) == 1 and table.columns[name] != TEXT
        yield quoted(name) if is_alike else f"coalesce({quoted(name)}::VARCHAR, '')"


def _compared(table: Table) -> list[str]:
    """Name what makes a row another; where nothing else is there, also the part it is in."""
    told = [name for name in sorted(table.columns) if name not in table.numbering]
    return ([name for name in told if name != table.split_column] or told)[:MOST_COLUMNS]


def _numbering(connection: duckdb.DuckDBPyConnection, table: Table) -> tuple[str, ...]:
    """Find columns that are called a number of the row, and have another in each."""
    named = [name for name in table.columns if NUMBERING.intersection(words_of(name))]
    if not named or len(named) == len(table.columns):
        return ()
    named = named[:MOST_NUMBERINGS]
    asked = ", ".join(f"count(DISTINCT {quoted(name)}) = count(*)" for name in named)
    row = connection.execute(f"SELECT {asked} FROM {table.view}").fetchone() or ()  # noqa: S608
    return tuple(name for name, is_apart in zip(named, row, strict=True) if is_apart)


def _print(table: Table) -> str:
    """Hash the row as text, columns by name: the same row in a CSV and in JSON is the same.

    Where little stands beside the number, rows are alike by chance: then it counts as well.
    """
    rest = _joined(_compared(table))
    if not table.numbering:
        return f"md5_number({rest})"
    whole = _joined([*_compared(table), *table.numbering])
    return (
        f"md5_number(CASE WHEN length({rest}) < {FEWEST_CHARACTERS} THEN {whole} "
        f"ELSE {rest} END)"
    )


def _joined(names: Sequence[str]) -> str:
    cells = ", ".join(f"coalesce({quoted(name)}::VARCHAR, '')" for name in names)
    return f"concat_ws(chr(31), {cells})"


def _is_something(table: Table) -> str:
    """Leave out rows of nothing, and texts of a few signs: an empty line is no double."""
    if table.kind == "text":
        return f"length(text) >= {FEWEST_CHARACTERS}"
    names = [name for name in table.columns if name != table.split_column][:MOST_COLUMNS]
    return "(" + " OR ".join(f"{quoted(name)} IS NOT NULL" for name in names) + ")"


def _place(tables: Sequence[Table], first: int) -> tuple[str, int]:
    file, row = divmod(first, 1_000_000_000_000)
    return tables[file].path, row


def differing_answers(connection: duckdb.DuckDBPyConnection, table: Table) -> Json | None:
    """Tell where the same question has more than one answer."""
    names = {name.casefold(): name for name in table.columns}
    pair = next(((q, a) for q, a in QUESTIONS if q in names and a in names), None)
    if pair is None:
        return None
    question, answer = (f"lower(trim({quoted(names[word])}::VARCHAR))" for word in pair)
    if extra := names.get("input") if pair[0] == "instruction" else None:
        question = f"concat_ws(chr(31), {question}, {quoted(extra)}::VARCHAR)"
    rows = connection.execute(
        f"SELECT list(_row ORDER BY _row)[:20] FROM {table.view} WHERE {question} <> '' "  # noqa: S608
        f"GROUP BY {question} HAVING count(DISTINCT {answer}) > 1 ORDER BY min(_row)"
    ).fetchmany(AT_ONCE)
    if not rows:
        return None
    places = sorted(row for group in rows for row in group[0])
    return problem("differing_answers", "attention", path=table.path, rows=places[:MOST_PAIRS],
                   count=len(rows))  # fmt: skip


QUESTIONS = (
    ("prompt", "completion"),
    ("question", "answer"),
    ("instruction", "output"),
    ("vraag", "antwoord"),
    ("input", "label"),
    ("text", "label"),
    ("input", "output"),
)

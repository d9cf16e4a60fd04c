"""Looks for personal data: counts and places, never the values.

Two steps: DuckDB sorts out the rows that have a chance, at memory speed; checksums and the
words around are looked at in Python. What a column's name gives away needs no reading at all.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import duckdb

from fabriek.quality.worker import headings, keys, rules
from fabriek.quality.worker.columns import kind_of
from fabriek.quality.worker.engine import quoted, quoted_text
from fabriek.quality.worker.job import Json
from fabriek.quality.worker.lines import Places
from fabriek.quality.worker.names import Names
from fabriek.quality.worker.table import TEXT, Table

AT_ONCE = 10_000
COLUMNS_AT_ONCE = 100
MOST_READ_FOR_NAMES = 50  # columns
# Looked at one by one, spread over the file; with more candidates the count is an estimate.
MOST_CHECKED = 300_000
NAMES_SAMPLED = 2_000
WRITTEN_CHARACTERS = 15
UNREAD = "…"
# Random numbers of nine digits pass the 11-test once in eleven: half of them never do.
FILLS_SHARE = 0.5
FEWEST_TO_FILL = 10
DIGITS_LOW, DIGITS_HIGH = 10**7, 10**9


@dataclass(kw_only=True, slots=True)
class Found:
    """Places by kind in one column; each row that was looked at stands for `scale` rows."""

    places: dict[str, Places] = field(default_factory=dict)
    scale: float = 1.0

    def add(self, kind: str, row: int) -> None:
        self.places.setdefault(kind, Places()).add(row)

    def count(self, other: "Found") -> None:
        """Add how often another found something, without the rows: they are of other files."""
        for kind, places in other.places.items():
            self.places.setdefault(kind, Places()).count += places.count


def scan(
    connection: duckdb.DuckDBPyConnection, table: Table, names: Names, *, all_names: bool
) -> list[Json]:
    """Give a finding for each kind in each column.

    `by` says what told: the name of the `column`, that it is `filled` with nothing else, the
    `content` of some cells, the reader of `names`, that the name is a value: `heading`,
    or a `line` that is no row.
    """
    findings: list[Json] = []
    chances, written = _with_chance(connection, table), 0
    for column, sql_type in table.columns.items():
        told = rules.current().told_by(column)
        findings += [
            finding(table, column, kind, Places(count=1), by="heading")
            for kind in headings.kinds_in(column)
        ]
        findings += _by_name(connection, table, column, told)
        if sql_type == TEXT:
            findings += _in_texts(connection, table, column, told, chances)
        elif kind_of(sql_type) == "number" and column in chances and "bsn" not in told:
            findings += _numbers(connection, table, column)
        is_read = sql_type == TEXT and names.are_read and written < MOST_READ_FOR_NAMES
        if is_read and "name" not in told:
            written += 1
            findings += _names(connection, table, column, names, every=all_names)
    return findings + _in_rejected(table) + unread(table)


def unread(table: Table) -> list[Json]:
    """Tell of lines that are no rows: nobody knows of which column they are."""
    return [
        finding(table, UNREAD, kind, places, by="line")
        for kind, places in sorted(table.unread.items())
    ]


def _in_rejected(table: Table) -> list[Json]:
    """Look in rows that are left out of the table: an address under “amount” is such a one."""
    found: dict[str, Found] = {}
    for row, column, text in table.rejected:
        for kind in {hit.kind for hit in rules.current().hits(text)}:
            found.setdefault(column, Found()).add(kind, row)
    return [
        finding(table, column, kind, places, by="content")
        for column, in_column in found.items()
        for kind, places in sorted(in_column.places.items())
    ]


def _with_chance(connection: duckdb.DuckDBPyConnection, table: Table) -> set[str]:
    """Of very many columns, sort out those with nothing at all: some hundred in one query."""
    if len(table.columns) <= COLUMNS_AT_ONCE:
        return set(table.columns)
    found: set[str] = set()
    rest = iter(table.columns.items())
    while some := list(islice(rest, COLUMNS_AT_ONCE)):
        asked = ", ".join(_chance(name, sql_type) for name, sql_type in some)
        row = connection.execute(f"SELECT {asked} FROM {table.view}").fetchone() or ()  # noqa: S608
        found |= {name for (name, _type), any_there in zip(some, row, strict=True) if any_there}
    return found


def _chance(name: str, sql_type: str) -> str:
    column = quoted(name)
    if sql_type == TEXT:
        return f"bool_or(regexp_matches({column}, {quoted_text(rules.current().prefilter)}))"
    if kind_of(sql_type) == "number":
        return f"bool_or({column} >= {DIGITS_LOW} AND {column} < {DIGITS_HIGH})"
    return "false"


def finding(
    table: Table, column: str, kind: str, places: Places, *, by: str, scale: float = 1.0
) -> Json:
    return {
        "kind": kind,
        "path": table.path,
        "column": column,
        "rows": places.rows,
        "count": round(places.count * scale),
        "by": by,
        "is_estimate": scale > 1,
    }


def _by_name(
    connection: duckdb.DuckDBPyConnection, table: Table, column: str, told: frozenset[str]
) -> list[Json]:
    """Believe a heading: all that stands below it counts."""
    if not told:
        return []
    name = quoted(column)
    there = f"FROM {table.view} WHERE {name} IS NOT NULL AND {name}::VARCHAR <> ''"
    counted = connection.execute(f"SELECT count(*) {there}").fetchone()
    if not counted or not counted[0]:
        return []
    rows = connection.execute(f"SELECT _row {there} ORDER BY _row LIMIT 20").fetchall()
    places = Places(count=counted[0], rows=[row[0] for row in rows])
    return [finding(table, column, kind, places, by="column") for kind in sorted(told)]


def _by_content(
    connection: duckdb.DuckDBPyConnection, table: Table, column: str, told: frozenset[str]
) -> list[Json]:
    found = Found()
    asked, found.scale = _candidates(connection, table, column)
    for row, text in asked:
        for kind in {hit.kind for hit in rules.current().hits(text)} - told:
            found.add(kind, row)
    filled = _filling(connection, table, column) - told - found.places.keys()
    whole = {kind: _matching(connection, table, column, kind) for kind in filled}
    in_text = sorted(found.places.items())
    return [
        finding(table, column, kind, places, by="content", scale=found.scale)
        for kind, places in in_text
    ] + [
        finding(table, column, kind, places, by="filled")
        for kind, places in sorted(whole.items())
    ]


def _in_texts(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    column: str,
    told: frozenset[str],
    chances: set[str],
) -> list[Json]:
    found = _by_content(connection, table, column, told) if column in chances else []
    seen = told | {one["kind"] for one in found}
    return found + _by_keys(connection, table, column, seen)


def _by_keys(
    connection: duckdb.DuckDBPyConnection, table: Table, column: str, seen: frozenset[str]
) -> list[Json]:
    found, scale = keys.found_in(connection, table, column)
    return [
        finding(table, column, kind, places, by="key", scale=scale)
        for kind, places in sorted(found.items())
        if kind not in seen
    ]


def _candidates(
    connection: duckdb.DuckDBPyConnection, table: Table, column: str
) -> tuple[Iterator[tuple[int, str]], float]:
    """Give rows with a chance, and how many each of them stands for."""
    name, chance = quoted(column), rules.current().prefilter
    where = f"FROM {table.view} WHERE regexp_matches({name}, ?)"
    connection.execute(
        f"CREATE OR REPLACE TABLE candidates AS SELECT _row, {name} AS said {where}",
        [chance],
    )
    counted = connection.execute("SELECT count(*) FROM candidates").fetchone()
    many = counted[0] if counted else 0
    every = -(-many // MOST_CHECKED) if many else 1
    asked = f"SELECT _row, said FROM candidates WHERE rowid % {every} = 0"  # noqa: S608
    return _rows(connection.cursor(), asked), float(every)


def _rows(cursor: duckdb.DuckDBPyConnection, asked: str) -> Iterator[tuple[int, str]]:
    cursor.execute(asked)
    while some := cursor.fetchmany(AT_ONCE):
        yield from some


def _filling(connection: duckdb.DuckDBPyConnection, table: Table, column: str) -> set[str]:
    """Tell which kinds fill the column, whatever it is called: most cells are one, whole."""
    rows = connection.execute(
        f"SELECT {quoted(column)} FROM {table.sample} WHERE {quoted(column)} <> '' LIMIT 2000"  # noqa: S608
    ).fetchall()
    if len(rows) < FEWEST_TO_FILL:
        return set()
    return {
        rule.kind
        for rule in rules.current().rules
        if rule.fills_column
        and sum(_is_whole(rule, row[0]) for row in rows) >= FILLS_SHARE * len(rows)
    }


def _is_whole(rule: rules.Rule, text: str) -> bool:
    match = rule.pattern.fullmatch(text.strip())
    return bool(match and rule.check(match[0]))


def _matching(
    connection: duckdb.DuckDBPyConnection, table: Table, column: str, kind: str
) -> Places:
    rule = next(rule for rule in rules.current().rules if rule.kind == kind)
    places, name = Places(), quoted(column)
    asked = f"SELECT _row, {name}::VARCHAR FROM {table.view} WHERE {name} IS NOT NULL"  # noqa: S608
    for row, text in _rows(connection.cursor(), f"{asked} LIMIT {MOST_CHECKED}"):
        if _is_whole(rule, text):
            places.add(row)
    return places


def _numbers(connection: duckdb.DuckDBPyConnection, table: Table, column: str) -> list[Json]:
    """See whether a column of whole numbers is one of BSNs that lost their heading."""
    name = quoted(column)
    rows = connection.execute(
        f"SELECT ({name})::VARCHAR FROM {table.sample} WHERE {name} IS NOT NULL "  # noqa: S608
        f"AND {name} >= {DIGITS_LOW} AND {name} < {DIGITS_HIGH} AND {name} = floor({name}) "
        "LIMIT 2000"
    ).fetchall()
    rule = next(rule for rule in rules.current().rules if rule.kind == "bsn")
    passed = sum(_is_whole(rule, row[0].partition(".")[0]) for row in rows)
    if len(rows) < FEWEST_TO_FILL or passed < FILLS_SHARE * len(rows):
        return []
    places = _matching(connection, table, column, "bsn")
    return [finding(table, column, "bsn", places, by="filled")] if places.count else []


def _names(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    column: str,
    names: Names,
    *,
    every: bool,
) -> list[Json]:
    """Read for names what people wrote: some rows of each column, or all when asked."""
    name = quoted(column)
    relation = table.view if every else table.sample
    written = f"FROM {relation} WHERE length({name}) >= {WRITTEN_CHARACTERS}"
    counted = connection.execute(
        f"SELECT count(*) FROM {table.view} WHERE length({name}) >= {WRITTEN_CHARACTERS}"  # noqa: S608
    ).fetchone()
    limit = "" if every else f" ORDER BY hash(_row) LIMIT {NAMES_SAMPLED}"
    places, seen = Places(), 0
    for row, text in sorted(
        connection.execute(f"SELECT _row, {name} {written}{limit}").fetchall()
    ):
        seen += 1
        if names.found(text):
            places.add(row)
    if not places.count or not counted:
        return []
    scale = max(1.0, counted[0] / seen)
    return [finding(table, column, "name", places, by="names", scale=scale)]

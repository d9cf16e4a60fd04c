"""What is wrong with a table, said by code: what, where, how often."""

import math
import re
from collections.abc import Iterator

import duckdb

from fabriek.quality.worker.columns import MOST_DETAILED
from fabriek.quality.worker.engine import quoted
from fabriek.quality.worker.job import Json, problem
from fabriek.quality.worker.table import TEXT, Table
from fabriek.quality.worker.texts import CHARACTERS_PER_TOKEN

MOST_ROWS = 20
FEWEST_ROWS = 20
MOSTLY_MISSING = 0.5
FAR = 10  # so many times the middle half away is far out, whatever the shape
LABELS = {"label", "labels", "class", "category", "target", "klasse", "categorie", "etiket"}
MOST_ONE_SIDED = 0.9
RAREST = 0.01
DAY = re.compile(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}")
COMMA = re.compile(r"-?\d{1,3}(?:\.\d{3})*,\d+|-?\d+,\d+")
MOSTLY = 0.8
TWELVE = 12


def of(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    columns: list[Json],
    *,
    context_tokens: int,
) -> list[Json]:
    if not table.rows:
        return [problem("no_rows", "wrong", path=table.path)]
    found = list(_of_columns(connection, table, columns))
    if not any(_is_full(column) for column in columns):
        found += _empty_rows(connection, table)
    if _longest(table, columns) > context_tokens * CHARACTERS_PER_TOKEN:
        found += _long_rows(connection, table, context_tokens)
    return found


def _is_full(column: Json) -> bool:
    """Tell whether no row has nothing in it: then no row is empty either."""
    return not column["missing"] and not column.get("empty")


def _longest(table: Table, columns: list[Json]) -> float:
    """Give what no row is longer than; of columns beyond the profiled ones nothing is known."""
    if len(columns) < len(table.columns):
        return math.inf
    return sum(column.get("longest") or 0 for column in columns)


def _of_columns(
    connection: duckdb.DuckDBPyConnection, table: Table, columns: list[Json]
) -> Iterator[Json]:
    garbled = _garbled(connection, table, columns[:MOST_DETAILED])
    for at, column in enumerate(columns):
        there = table.rows - column["missing"]
        yield from _of_fill(table, column, there)
        if not there or at >= MOST_DETAILED:
            continue
        if column["kind"] == "number":
            yield from _far_out(connection, table, column)
        if column["name"] in garbled:
            where = f"FROM {table.view} WHERE {_is_garbled(column['name'])}"
            yield from _places(connection, table, where, "garbled", column["name"])
        if column["kind"] == "text":
            yield from _of_texts(connection, table, column["name"])
        if column["name"].casefold() in LABELS:
            yield from _lopsided(table, column, there)


def _of_fill(table: Table, column: Json, there: int) -> Iterator[Json]:
    if not there:
        yield problem("empty_column", "attention", path=table.path, column=column["name"])
    elif column["missing"] > MOSTLY_MISSING * table.rows and table.kind != "text":
        yield problem(
            "mostly_missing",
            "note",
            count=column["missing"],
            of=table.rows,
            path=table.path,
            column=column["name"],
        )
    if column["distinct"] == 1 and there >= FEWEST_ROWS:
        yield problem("constant", "note", count=there, path=table.path, column=column["name"])


def _far_out(
    connection: duckdb.DuckDBPyConnection, table: Table, column: Json
) -> Iterator[Json]:
    quantiles = column.get("quantiles")
    if not quantiles:
        return
    _low, first, _middle, third, _high = quantiles
    room = FAR * (third - first)
    low, high = first - room, third + room
    if not room or (column["min"] >= low and column["max"] <= high):
        return
    name = quoted(column["name"])
    where = f"FROM {table.view} WHERE {name} < {low!r} OR {name} > {high!r}"
    yield from _places(connection, table, where, "far_out", column["name"])


def _of_texts(connection: duckdb.DuckDBPyConnection, table: Table, name: str) -> Iterator[Json]:
    """Look for days and amounts that were read as text, in the sample."""
    rows = connection.execute(
        f"SELECT trim({quoted(name)}) FROM {table.sample} "  # noqa: S608
        f"WHERE {quoted(name)} <> '' AND length({quoted(name)}) <= 20 LIMIT 5000"
    ).fetchall()
    texts = [row[0] for row in rows]
    if not texts:
        return
    days = [text for text in texts if DAY.fullmatch(text)]
    if len(days) > MOSTLY * len(texts) and _two_orders(days):
        yield problem("two_orders", "wrong", path=table.path, column=name)
    if sum(bool(COMMA.fullmatch(text)) for text in texts) > MOSTLY * len(texts):
        yield problem("comma_numbers", "attention", path=table.path, column=name)


# UTF-8 that was once read as Windows-1252: “cafÃ©”, “â€œ”.
GARBLED = "Ã[\\x{80}-\\x{BF}]|Ã[©¨«¯¶¼¡³º]|â€[™œ“”˜¦]"


def _garbled(
    connection: duckdb.DuckDBPyConnection, table: Table, columns: list[Json]
) -> set[str]:
    """Find in one pass the columns where some text is garbled."""
    names = [column["name"] for column in columns if column["kind"] == "text"]
    if not names:
        return set()
    asked = ", ".join(f"bool_or({_is_garbled(name)})" for name in names)
    row = connection.execute(f"SELECT {asked} FROM {table.view}").fetchone() or ()  # noqa: S608
    return {name for name, is_there in zip(names, row, strict=True) if is_there}


def _is_garbled(name: str) -> str:
    """Let only texts with signs of more than one byte be searched: few are."""
    column = quoted(name)
    searched = f"regexp_matches({column}, '{GARBLED}')"
    return f"CASE WHEN strlen({column}) <> length({column}) THEN {searched} END"


def _two_orders(days: list[str]) -> bool:
    """Tell whether some can only be day-month, and others only month-day."""
    pairs = [tuple(map(int, re.split(r"[-/.]", day)[:2])) for day in days]
    return any(a > TWELVE for a, _b in pairs) and any(b > TWELVE for _a, b in pairs)


def _lopsided(table: Table, column: Json, there: int) -> Iterator[Json]:
    values = column.get("values") or []
    if not values or there < FEWEST_ROWS:
        return
    if values[0][1] > MOST_ONE_SIDED * there and column["distinct"] > 1:
        yield problem(
            "one_sided",
            "attention",
            count=values[0][1],
            of=there,
            path=table.path,
            column=column["name"],
        )
    elif values[-1][1] < RAREST * there:
        yield problem(
            "rare_label",
            "note",
            count=values[-1][1],
            of=there,
            path=table.path,
            column=column["name"],
        )


def _empty_rows(connection: duckdb.DuckDBPyConnection, table: Table) -> Iterator[Json]:
    if table.kind == "text" or len(table.columns) > 1_000:  # noqa: PLR2004
        return
    # Texts come last: nothing is trimmed where a number stands.
    names = sorted(table.columns, key=lambda name: table.columns[name] == TEXT)
    empty = " AND ".join(_is_nothing(name, table.columns[name]) for name in names)
    where = f"FROM {table.view} WHERE {empty}"
    yield from _places(connection, table, where, "empty_rows", "")


def _is_nothing(name: str, sql_type: str) -> str:
    blank = f" OR trim({quoted(name)}) = ''" if sql_type == TEXT else ""
    return f"({quoted(name)} IS NULL{blank})"


def _long_rows(
    connection: duckdb.DuckDBPyConnection, table: Table, context_tokens: int
) -> Iterator[Json]:
    names = table.texts()[:50]
    if not names or table.kind == "text":
        return
    length = " + ".join(f"coalesce(length({quoted(name)}), 0)" for name in names)
    where = f"FROM {table.view} WHERE {length} > {context_tokens * CHARACTERS_PER_TOKEN}"
    for told in _places(connection, table, where, "long_rows", ""):
        told["facts"]["tokens"] = context_tokens
        yield told


def _places(
    connection: duckdb.DuckDBPyConnection, table: Table, where: str, code: str, column: str
) -> Iterator[Json]:
    counted = connection.execute(f"SELECT count(*) {where}").fetchone()
    if not counted or not counted[0]:
        return
    rows = connection.execute(f"SELECT _row {where} ORDER BY _row LIMIT {MOST_ROWS}").fetchall()
    severity = "note" if code == "far_out" else "attention"
    yield problem(code, severity, path=table.path, column=column,
                  rows=[row[0] for row in rows], count=counted[0])  # fmt: skip

"""What stands in each column: type, missing, distinct, spread, its common values."""

import math
import re
from datetime import date
from decimal import Decimal
from itertools import chain, islice
from typing import Any

import duckdb

from fabriek.quality.worker.engine import quoted
from fabriek.quality.worker.job import Json
from fabriek.quality.worker.names import Names
from fabriek.quality.worker.table import TEXT, Table

AT_ONCE = 40
MOST_PROFILED = 1_000
# Each question about a very wide table costs the planning of all its columns.
MOST_DETAILED = 100
SAMPLE_ROWS = 100_000
QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95]
BARS = 12
FEW = 30  # so many different values are named; each of them must be there often
OFTEN = 5
LONGEST_VALUE = 60
LABEL = re.compile(r"[^\W\d_A-Z][\w./-]*|[A-Z0-9_./+-]{1,12}|")
WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT"}  # never a NaN, nor without end
NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT",
           "UINTEGER", "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL")  # fmt: skip


def kind_of(sql_type: str) -> str:
    if sql_type.startswith(NUMBERS) and not sql_type.endswith("]"):
        return "number"
    if sql_type == "DATE" or sql_type.startswith("TIMESTAMP"):
        return "time"
    if sql_type == TEXT:
        return "text"
    if sql_type == "BOOLEAN":
        return "yes_no"
    return "other"


def profile(connection: duckdb.DuckDBPyConnection, table: Table) -> list[Json]:
    """Profile all columns, some at a time: one pass over the rows for each batch.

    The shape is drawn from `table.sample`, by chance but always the same rows.
    """
    take_sample(connection, table)
    found: list[Json] = []
    names = iter(list(table.columns)[:MOST_PROFILED])
    while some := list(islice(names, AT_ONCE)):
        batch = _batch(connection, table, some)
        _draw(connection, table, batch)
        found += batch
    _name_values(connection, table, found)
    return found


def take_sample(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    every = max(1, table.rows // SAMPLE_ROWS)
    connection.execute(
        f"CREATE OR REPLACE TABLE {table.sample} AS SELECT * FROM {table.view} "  # noqa: S608
        f"WHERE hash(_row) % {every} = 0"
    )


def without_values(column: Json) -> Json:
    """Keep of a column with personal data what tells of no person."""
    kept = ("name", "type", "kind", "missing", "distinct")
    return {key: column[key] for key in kept} | {"hidden": True}


def with_labels_only(column: Json, names: Names) -> Json:
    """Keep of what is written only words that come back as labels do.

    Nobody looked for names of people in cells this short. Where they can be read, they are
    now; where not, what has a space or begins with a capital could be one.
    """
    if column["kind"] != "text" or not column.get("values"):
        return column
    written = [value for value, _often in column["values"]]
    if names.are_read:
        is_personal = any(names.found(value) for value in written) or not names.are_read
    else:
        is_personal = not all(LABEL.fullmatch(value) for value in written)
    kept = {key: value for key, value in column.items() if key != "values"}
    return kept if is_personal else column


def _batch(connection: duckdb.DuckDBPyConnection, table: Table, names: list[str]) -> list[Json]:
    kinds = {name: kind_of(table.columns[name]) for name in names}
    middles = _middles(connection, table, [name for name in names if kinds[name] == "number"])
    asked = [_asked(name, table.columns[name], middles.get(name, 0.0)) for name in names]
    listed = ", ".join(chain.from_iterable(asked))
    row = connection.execute(f"SELECT {listed} FROM {table.view}").fetchone() or ()  # noqa: S608
    answers = iter(row)
    return [
        _told(table, name, list(islice(answers, len(parts))), middles.get(name, 0.0))
        for name, parts in zip(names, asked, strict=True)
    ]


def _middles(
    connection: duckdb.DuckDBPyConnection, table: Table, names: list[str]
) -> dict[str, float]:
    """Give the mean of the sample: sums of how far the rows are from it lose no digits.

    DuckDB's own deviation divides for each row, which takes three times as long.
    """
    if not names:
        return {}
    asked = ", ".join(f"avg({_real(name)})" for name in names)
    row = connection.execute(f"SELECT {asked} FROM {table.sample}").fetchone() or ()  # noqa: S608
    return {
        name: mean if mean is not None and math.isfinite(mean) else 0.0
        for name, mean in zip(names, row, strict=True)
    }


def _real(name: str) -> str:
    return f"CASE WHEN isfinite({quoted(name)}::DOUBLE) THEN {quoted(name)}::DOUBLE END"


def _asked(name: str, sql_type: str, middle: float) -> list[str]:
    """Give what is asked of one column, in the order in which `_told` reads it."""
    column, kind = quoted(name), kind_of(sql_type)
    if kind == "other":
        return [f"count({column})", f"approx_count_distinct({column}::VARCHAR)"]
    counts = [f"count({column})", f"approx_count_distinct({column})"]
    if kind == "number":
        real = f"{column}::DOUBLE" if sql_type in WHOLE else _real(name)
        away = f"({real} - {middle!r}::DOUBLE)"
        return [*counts, f"min({real})", f"max({real})", f"count({real})",
                f"sum({away})", f"sum({away} * {away})"]  # fmt: skip
    if kind == "time":
        return [*counts, f"min({column})", f"max({column})"]
    if kind == "text":
        lengths = [f"{of}(length({column}))" for of in ("min", "max", "avg", "sum")]
        # What is empty sorts before the first sign that is seen. Only CASE keeps the others
        # from being trimmed: of a condition with AND both halves are worked out for all rows.
        trimmed = f"CASE WHEN {column} < '!' THEN trim({column}, E' \\t\\r\\n') = '' END"
        return [*counts, *lengths, f"count(*) FILTER ({trimmed})"]
    return [*counts, f"count(*) FILTER ({column})"]


NAMES = {
    "number": ("min", "max", "mean", "spread"),
    "time": ("first", "last"),
    "text": ("shortest", "longest", "mean_length", "characters", "empty"),
    "yes_no": ("yes",),
    "other": (),
}


def _told(table: Table, name: str, answers: list[Any], middle: float) -> Json:
    there, distinct, *rest = answers
    kind = kind_of(table.columns[name])
    if kind == "number":
        low, high, *sums = rest
        is_one = low is not None and low == high
        of_all = (low, 0.0) if is_one else _mean_and_spread(*sums, middle=middle)
        rest = [low, high, *of_all]
    told: Json = {
        "name": name,
        "type": table.columns[name],
        "kind": kind,
        "missing": table.rows - there,
        # An estimate may be a little too high: never more than there are.
        "distinct": min(distinct or 0, there),
    }
    if there:
        told |= zip(NAMES[kind], rest, strict=True)
    if "yes" in told:
        told["values"] = _by_number([["true", told["yes"]], ["false", there - told["yes"]]])
    return {key: _plain(value) for key, value in told.items()}


def _mean_and_spread(
    count: int, away: float | None, squared: float | None, *, middle: float
) -> tuple[float | None, float | None]:
    """Give the mean and the standard deviation, by sums of how far rows are from a middle."""
    if not count or away is None or squared is None:
        return None, None
    off = away / count
    variance = squared / count - off * off
    is_known = math.isfinite(variance)  # not of numbers so large that their squares have no end
    return middle + off, math.sqrt(max(0.0, variance)) if is_known else None


def _by_number(values: list[list[Any]]) -> list[list[Any]]:
    return sorted((one for one in values if one[1]), key=lambda one: -one[1])


def _draw(connection: duckdb.DuckDBPyConnection, table: Table, found: list[Json]) -> None:
    """Add quantiles, and bars of equal width whose heights are shares of the rows."""
    shown = {column["name"]: _measure(column) for column in found if _measure(column)}
    if not shown:
        return
    asked = ", ".join(
        f"quantile_cont({part}, {QUANTILES}), min({part}), max({part})"
        for part in shown.values()
    )
    row = connection.execute(f"SELECT {asked} FROM {table.sample}").fetchone() or ()  # noqa: S608
    ends = {name: row[3 * at : 3 * at + 3] for at, name in enumerate(shown)}
    spread = {name: end for name, end in ends.items() if end[0] and end[1] < end[2]}
    heights = _heights(
        connection, table, {name: (shown[name], *spread[name][1:]) for name in spread}
    )
    for column in found:
        if quantiles := ends.get(column["name"], (None,))[0]:
            column["quantiles"] = [_plain(one) for one in quantiles]
        if shares := heights.get(column["name"]):
            _quantiles, low, high = ends[column["name"]]
            column["bars"] = {"low": _plain(low), "high": _plain(high), "shares": shares}


def _measure(column: Json) -> str:
    name = quoted(column["name"])
    if column["kind"] == "number":
        return _real(column["name"])
    if column["kind"] == "time":
        return f"epoch({name})"
    return f"length({name})::DOUBLE" if column["kind"] == "text" else ""


def _heights(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    spread: dict[str, tuple[str, float, float]],
) -> dict[str, list[float]]:
    asked = [
        f"count(*) FILTER (least({BARS - 1}, floor(({part} - {low!r}::DOUBLE) / "
        f"{(high - low) / BARS!r}::DOUBLE)) = {bar})"
        for part, low, high in spread.values()
        for bar in range(BARS)
        if math.isfinite(high - low) and (high - low) / BARS > 0
    ]
    if not asked or len(asked) != BARS * len(spread):
        return {}
    row = connection.execute(f"SELECT {', '.join(asked)} FROM {table.sample}").fetchone() or ()  # noqa: S608
    found = {}
    for at, name in enumerate(spread):
        counts = row[at * BARS : (at + 1) * BARS]
        found[name] = [round(count / max(1, sum(counts)), 4) for count in counts]
    return found


def _name_values(
    connection: duckdb.DuckDBPyConnection, table: Table, found: list[Json]
) -> None:
    """Name the most common values where they are few and each is there often."""
    for column in found[:MOST_DETAILED]:
        if column["kind"] not in {"text", "number"} or not 0 < column["distinct"] <= FEW:
            continue
        if column.get("mean_length", 0) > LONGEST_VALUE:
            continue
        name = quoted(column["name"])
        rows = connection.execute(
            f"SELECT {name}::VARCHAR, count(*) FROM {table.view} WHERE {name} IS NOT NULL "  # noqa: S608
            f"GROUP BY 1 HAVING count(*) >= {OFTEN} ORDER BY 2 DESC, 1 LIMIT 10"
        ).fetchall()
        column["values"] = [[value[:LONGEST_VALUE], count] for value, count in rows]


def _plain(value: Any) -> Any:  # noqa: ANN401  whatever a database gives
    if isinstance(value, float | Decimal):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return str(value)[:19] if isinstance(value, date) else value

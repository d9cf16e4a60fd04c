"""Queries asked thousands of times a minute: their SQL is put together once, and kept.

Django takes longer to write such a query than the database to answer it, and PostgreSQL ten
times as long to plan one that joins six tables: there the plan is kept as well.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet

Word = str | int | tuple[int, ...]
Shape = tuple[Any, ...]
Statement = tuple[str, list[Any]]  # SQL and its parameters
SHAPES_MAX = 200
BIG = 2**60  # beyond any key that a row has
PLACE = re.compile("%%|%s")
# By this rows are known again, without sending or keeping what stands in them.
MARK = (
    "(SELECT sha256(convert_to(string_agg(one::text, '' ORDER BY one::text), 'UTF8')) "
    "FROM {} one)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Template:
    """`places`: for each parameter the number of the word that goes there, or None."""

    sql: str
    constants: Sequence[object]
    places: Sequence[int | None]
    converters: Callable[[Iterable[Any]], Iterable[Any]]

    def parameters(self, words: Sequence[Word]) -> list[Any]:
        flat = sent(_flat(words))
        return [
            constant if place is None else flat[place]
            for constant, place in zip(self.constants, self.places, strict=True)
        ]


class Prepared:
    """A query by some words: texts, numbers, and tuples of numbers for `in`.

    `build` makes it from the words as a `values_list`. It is written down for each shape of
    words twice, with other words: what differs are their places. Where something else differs,
    such as the time of day, or a word was changed on its way, nothing is kept and Django writes
    the query each time, so that an answer never depends on an earlier one.
    """

    def __init__(self, build: Callable[..., "QuerySet[Any, Any]"]) -> None:
        self.build = build
        self.kept: dict[Shape, _Template | None] = {}

    def rows(self, *words: Word) -> list[tuple[Any, ...]]:
        template = self._template(words)
        if template is None:
            return list(self.build(*words))
        with cursor_that_plans_once() as cursor:
            cursor.execute(template.sql, template.parameters(words))
            return [tuple(row) for row in template.converters(cursor.fetchall())]

    def marked_rows(self, *words: Word) -> tuple[list[tuple[Any, ...]], bytes]:
        """Give the rows, and of the same moment a mark for `still`; b"" where there is none.

        Only PostgreSQL has marks: elsewhere it costs next to nothing to ask again.
        """
        template = self._template(words)
        if template is None or connections[DEFAULT_DB_ALIAS].vendor != "postgresql":
            return self.rows(*words), b""
        marked = f"SELECT found.*, {MARK.format('found')} FROM found"  # noqa: S608  ours
        with cursor_that_plans_once() as cursor:
            text = f"WITH found AS ({template.sql}) {marked}"
            cursor.execute(text, template.parameters(words))
            found = cursor.fetchall()
        rows = template.converters(row[:-1] for row in found)
        return [tuple(row) for row in rows], bytes(found[0][-1]) if found else b""

    def still(self, mark: bytes, *words: Word) -> Statement:
        """Give the SQL that tells whether the rows still are those that had this mark."""
        text, parameters = self.statement(*words) or ("", [])
        return f"{MARK.format(f'({text})')} = %s", [*parameters, mark]

    def statement(self, *words: Word) -> Statement | None:
        """Give the SQL and its parameters, for a statement that it becomes a part of.

        None: it is written anew each time, and may as well be asked by itself.
        """
        template = self._template(words)
        return (template.sql, template.parameters(words)) if template else None

    def _template(self, words: Sequence[Word]) -> "_Template | None":
        used = connections[DEFAULT_DB_ALIAS]
        shape = (used.alias, used.vendor, *map(_shape, words))
        if shape not in self.kept and len(self.kept) < SHAPES_MAX:
            self.kept[shape] = self._written(words)
        return self.kept.get(shape)

    def _written(self, words: Sequence[Word]) -> _Template | None:
        numbers = count(1)
        first, second = ([_mark(word, numbers) for word in words] for _turn in range(2))
        try:
            one, other = _compiled(self.build(*first)), _compiled(self.build(*second))
        except EmptyResultSet:
            return None  # such as `in` nothing: Django answers that itself
        if one.sql != other.sql or len(one.parameters) != len(other.parameters):
            return None
        here, there = _flat(first), _flat(second)
        places: list[int | None] = []
        for a, b in zip(one.parameters, other.parameters, strict=True):
            if a == b and a not in here:
                places.append(None)
            elif a in here and b in there and here.index(a) == there.index(b):
                places.append(here.index(a))
            else:
                return None
        template = _Template(
            sql=one.sql, constants=one.parameters, places=places, converters=one.converters
        )
        return _with_constants(template) if connection.vendor == "postgresql" else template


@dataclass(frozen=True, slots=True)
class _Compiled:
    sql: str
    parameters: Sequence[object]
    converters: Callable[[Iterable[Any]], Iterable[Any]]


def _compiled(rows: "QuerySet[Any, Any]") -> _Compiled:
    compiler = rows.query.get_compiler(using=rows.db)
    sql, parameters = compiler.as_sql()
    converters = compiler.get_converters([column for column, _sql, _alias in compiler.select])
    apply = partial(_converted, converters, rows.db)
    return _Compiled(sql, list(parameters), apply)


def _converted(converters: dict[int, Any], alias: str, rows: Iterable[Any]) -> Iterable[Any]:
    """Turn what the database gave into values of Python, as Django does."""
    if not converters:
        return rows
    used = connections[alias]
    found = [list(row) for row in rows]
    for position, (turns, expression) in converters.items():
        for row in found:
            for turn in turns:
                row[position] = turn(row[position], expression, used)
    return found


# --- PostgreSQL --------------------------------------------------------------------------
def cursor_that_plans_once() -> CursorWrapper:
    """Give a cursor that sends words beside the text, so that a text is planned once.

    Django's own puts them into the text, and the database sees another one each time.
    """
    used = connections[DEFAULT_DB_ALIAS]  # `connection` asks for it at each word
    if used.vendor != "postgresql":
        return used.cursor()
    ours: Any = used  # `kernel.postgresql`, which is there only where PostgreSQL is
    planning: CursorWrapper = ours.cursor_that_plans_once()
    return planning


def _psycopg() -> Any:  # noqa: ANN401  a module that is there for PostgreSQL only
    return connection.Database  # type: ignore[attr-defined]


def sent(words: list[Any]) -> list[Any]:
    """Give whole numbers one type: by their size they had three, and each its own plan."""
    used = connections[DEFAULT_DB_ALIAS]
    if used.vendor != "postgresql":
        return words
    of_eight_bytes = used.ops.adapt_integerfield_value
    return [
        of_eight_bytes(word, "BigIntegerField") if type(word) is int else word for word in words
    ]


def _with_constants(template: _Template) -> _Template:
    """Write what never changes into the text: some indexes serve only where that stands."""
    connection.ensure_connection()
    literal = _psycopg().sql.Literal
    parameters = iter(zip(template.constants, template.places, strict=True))

    def written(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return found[0]
        constant, place = next(parameters)
        if place is not None:
            return found[0]
        text: str = literal(constant).as_string(connection.connection)
        return text.replace("%", "%%")

    return replace(
        template,
        sql=PLACE.sub(written, template.sql),
        constants=[None] * sum(place is not None for place in template.places),
        places=[place for place in template.places if place is not None],
    )


# --- words -------------------------------------------------------------------------------
def _shape(word: Word) -> object:
    return len(word) if isinstance(word, tuple) else type(word)


def _mark(word: Word, numbers: "count[int]") -> Word:
    """Give a word like it that no row and no query has."""
    if isinstance(word, tuple):
        return tuple(BIG + next(numbers) for _each in word)
    return BIG + next(numbers) if isinstance(word, int) else f"mark-{BIG + next(numbers)}"


def _flat(words: Sequence[Word]) -> list[object]:
    flat: list[object] = []
    for word in words:
        flat += word if isinstance(word, tuple) else [word]
    return flat

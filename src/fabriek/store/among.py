"""Ask for thousands of rows by their SHA-256 with one value, not with one for each.

As values of their own the driver takes longer than the database, and databases bound how many
there may be.
"""

import json
from collections.abc import Iterable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Lookup
from django.db.models.sql.compiler import SQLCompiler


class _Among(Lookup):
    """`sha256` is one of these: 64 plain signs each, so that nothing in them needs quoting."""

    lookup_name = "among"
    prepare_rhs = False

    def as_sql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, tuple[Any, ...]]:
        column, words = self.process_lhs(compiler, connection)
        there = f"{column} IN (SELECT value FROM json_each(%s))"  # noqa: S608  a column of ours
        return there, (*words, json.dumps(self.rhs))

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, tuple[Any, ...]]:
        column, words = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s::text[])", (*words, f"{{{','.join(self.rhs)}}}")


def among(sha256s: Iterable[str], column: str = "sha256") -> _Among:
    """Give what `filter` takes. What is no SHA-256 is among nothing."""
    wanted = tuple(dict.fromkeys(sha256s))
    if not _is_plain("".join(wanted)):
        wanted = tuple(filter(_is_plain, wanted))
    return _Among(F(column), wanted)


def _is_plain(signs: str) -> bool:
    return signs.isalnum() and signs.isascii()

"""The files of a revision as values, and how they are written: a hundred thousand at once."""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple, Protocol, TypeVar

from django.db import connection
from django.db.models import QuerySet

from fabriek.store import queries
from fabriek.store.models import Blob, File, Repository, Revision

ROWS_AT_ONCE = 10_000
FEW = 100  # the database holds each row against each of these
Row = TypeVar("Row")
FILES, BLOBS = File._meta.db_table, Blob._meta.db_table
CLAIMED_AT_ONCE = 20_000  # one value carries them all


class Named(NamedTuple):
    """What a path of a revision stands for."""

    blob_id: int
    sha256: str
    size_bytes: int


class Content(Protocol):
    @property
    def sha256(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...


def of(revision: Revision | None) -> dict[str, Named]:
    """Return {path: what it stands for}; nothing for no revision. Raises: Refused."""
    if revision is None:
        return {}
    rows = File.objects.filter(revision=revision).order_by()
    values = rows.values_list("path", "blob_id", "blob__sha256", "blob__size_bytes")
    found = {row[0]: Named(*row[1:]) for row in values.iterator(ROWS_AT_ONCE)}
    queries.require_all(revision, found)
    return found


def claimed(repository: Repository, sha256s: Collection[str]) -> dict[str, Named]:
    """Find bytes that may be named and lock them, inside the caller's transaction.

    What arrived is found and locked in one go, as it is nearly always all of it. What somebody
    moved meanwhile, as whoever sends a file alone takes it out of its pack, is found when asked
    once more: PostgreSQL looks at the row as it is now, and at what arrived as it was.
    """
    found: dict[str, Named] = {}
    for some in queries.batches(list(dict.fromkeys(sha256s)), CLAIMED_AT_ONCE):
        for look in (queries.arrived, queries.named_in_case, queries.arrived):
            if rest := [sha256 for sha256 in some if sha256 not in found]:
                found |= _kept(look(repository, rest))
    return found


def _kept(rows: "QuerySet[Blob]") -> dict[str, Named]:
    """Lock them against the sweep, which passes over what is locked: so in any order."""
    wanted = rows.values_list("pk", "sha256", "size_bytes")
    sql, words = wanted.query.sql_with_params()
    if connection.vendor == "postgresql":
        sql = f"{sql} FOR KEY SHARE OF {BLOBS}"
    with connection.cursor() as cursor:
        cursor.execute(sql, words)
        return {row[1]: Named(*row) for row in cursor.fetchall()}


def digest_of(content: Mapping[str, Content]) -> str:
    """Name a listing by what is in it: SHA-256 over sorted lines `sha256 size path`."""
    digest = hashlib.sha256()
    lines = (f"{one.sha256} {one.size_bytes} {path}\n" for path, one in sorted(content.items()))
    for some in _batches(lines):
        digest.update("".join(some).encode())
    return digest.hexdigest()


def write(
    revision: Revision, content: Mapping[str, Named], before: Mapping[str, Named]
) -> None:
    """Write the list of `revision` down.

    Where little differs from its parent, whose list is `before`, the database copies the rest
    without our sending it. No join decides what: on fresh rows PostgreSQL guesses a join wrong
    by a hundred thousand times.
    """
    changed = {path: one for path, one in content.items() if before.get(path) != one}
    differing = changed.keys() | (before.keys() - content.keys())
    if before and 0 < len(differing) <= FEW:
        _take_over(revision, list(differing))
        _insert(revision, changed)
    else:
        _insert(revision, content)


def _insert(revision: Revision, files: Mapping[str, Named]) -> None:
    rows = ((path, one.blob_id) for path, one in files.items())
    with connection.cursor() as cursor:
        for some in _batches(rows):
            if connection.vendor == "postgresql":
                # As one value: the driver writes an array slower than the database reads it.
                cursor.execute(
                    f"INSERT INTO {FILES} (revision_id, path, blob_id)"  # noqa: S608
                    " SELECT %s, one->>0, (one->>1)::bigint"
                    " FROM json_array_elements(%s::json) AS one",
                    [revision.pk, json.dumps(some, ensure_ascii=False)],
                )
            else:
                cursor.executemany(
                    f"INSERT INTO {FILES} (revision_id, path, blob_id)"  # noqa: S608
                    " VALUES (%s, %s, %s)",
                    [(revision.pk, *row) for row in some],
                )


def _take_over(revision: Revision, leave: list[str]) -> None:
    marks = ", ".join(["%s"] * len(leave))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {FILES} (revision_id, path, blob_id)"  # noqa: S608
            f" SELECT %s, path, blob_id FROM {FILES}"
            f" WHERE revision_id = %s AND path NOT IN ({marks})",
            [revision.pk, revision.parent_id, *leave],
        )


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    rest = iter(rows)
    while some := list(islice(rest, ROWS_AT_ONCE)):
        yield some

"""What lies in a folder of a revision and below it, as values in the order of their signs.

What most clients ask, all files and what lies at the root, has its SQL written once.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Substr

from fabriek.kernel.prepared import Prepared
from fabriek.store import signs
from fabriek.store.models import File, Revision

VALUES = ("path", "blob_id", "blob__sha256", "blob__size_bytes", "blob__git_name__sha1")
Values = Sequence[tuple[Any, ...]]
Rows = QuerySet[File, Any]


def all_files(revision: Revision) -> Values:
    return _ALL.rows(revision.pk)


def below(revision: Revision, folder: str, *, after: str, most: int) -> Values:
    """Give files below a folder, whatever deep."""
    if not folder:
        return _below_root(most).rows(revision.pk, after)
    return list(_below(revision.pk, folder, after, most))


def files_in(revision: Revision, folder: str, *, after: str, most: int) -> Values:
    """Give files that lie in a folder itself."""
    if not folder:
        return _files_in_root(most).rows(revision.pk, after)
    return list(_files_in(revision.pk, folder, after, most))


def folders_in(revision: Revision, folder: str, *, after: str, most: int) -> list[str]:
    """Name the folders that lie in a folder itself."""
    if not folder:
        # With DISTINCT a database also gives by what it orders.
        return [part for part, *_key in _folders_in_root(most).rows(revision.pk, after)]
    parts = _folders_in(revision.pk, folder, after, most)
    return [f"{folder}/{part}" for (part,) in parts]


# --- what is asked -----------------------------------------------------------------------
def _all(revision: int) -> Rows:
    return File.objects.filter(revision=revision).order_by("path").values_list(*VALUES)


def _below(revision: int, folder: str, after: str, most: int) -> Rows:
    return _ordered(revision, folder, after).values_list(*VALUES)[:most]


def _files_in(revision: int, folder: str, after: str, most: int) -> Rows:
    rows: Rows = _parted(revision, folder, after).filter(slash=0).values_list(*VALUES)
    return rows[:most]


def _folders_in(revision: int, folder: str, after: str, most: int) -> Rows:
    rows = _parted(revision, folder, after).exclude(slash=0)
    deeper = rows.annotate(part=Substr(F("rest"), 1, F("slash") - 1))
    last = after[len(folder) + 1 :] if folder else after
    deeper = deeper.alias(part_key=signs.key(F("part"))).filter(part_key__gt=last)
    # `order_by` of the rows would come into DISTINCT as well.
    parts: Rows = deeper.order_by("part_key").values_list("part").distinct()
    return parts[:most]


def _parted(revision: int, folder: str, after: str) -> Any:  # noqa: ANN401  of an alias
    return signs.parted(_ordered(revision, folder, after), folder)


def _ordered(revision: int, folder: str, after: str) -> "QuerySet[File]":
    rows = signs.by_key(File.objects.filter(revision=revision)).filter(Q(key__gt=after))
    if folder:
        rows = rows.filter(signs.within(folder))
    ordered: QuerySet[File] = rows.order_by("key")  # type: ignore[misc]  # of `by_key`
    return ordered


# One for each length of a page: how many is a part of the text.
@cache
def _below_root(most: int) -> Prepared:
    return Prepared(lambda revision, after: _below(revision, "", after, most))


@cache
def _files_in_root(most: int) -> Prepared:
    return Prepared(lambda revision, after: _files_in(revision, "", after, most))


@cache
def _folders_in_root(most: int) -> Prepared:
    return Prepared(lambda revision, after: _folders_in(revision, "", after, most))


_ALL = Prepared(_all)

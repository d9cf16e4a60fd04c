"""Walking through the files of a revision: what lies in one folder, and names with some words.

However many files there are, each is asked in at most three queries and shown by the page.
A folder is no row of ours: it is the part of a path before a `/`.
"""

import unicodedata
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum, Value
from django.db.models.functions import Substr

from fabriek.kernel import text
from fabriek.kernel.paging import Paged, page_number, paginate
from fabriek.store import signs
from fabriek.store.models import File, Revision

PAGE_SIZE = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """A folder with all that lies in it, whatever deep."""

    path: str
    file_count: int
    size_bytes: int

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


def normal(path: str) -> str:
    """Write a path that somebody asked for as the store does: accents in one form, no ends."""
    return text.storable(unicodedata.normalize("NFC", path)).strip("/")


def level(revision: Revision, folder: str, *, page: int | str = 1) -> Paged[Folder | File]:
    """Give what lies in a folder itself (`""`: at the top): its folders, then its files."""
    rows = _parted(revision, folder)
    is_file = Q(slash=0)
    folders, files = _counted(rows, is_file)
    number = min(page_number(page), max(1, -(-(folders + files) // PAGE_SIZE)))
    first, last = (number - 1) * PAGE_SIZE, number * PAGE_SIZE
    items: list[Folder | File] = []
    if first < folders:
        items += _folders(rows.exclude(is_file), folder, first, last)
    if last > folders and files:
        found = rows.filter(is_file).order_by("path").select_related("blob")
        items += found[max(0, first - folders) : last - folders]
    return Paged(items=items, count=folders + files, page=number, size=PAGE_SIZE)


def called(
    revision: Revision, words: str, *, folder: str = "", page: int | str = 1
) -> Paged[File]:
    """Find files with these words, as they stand, in the path from the folder on."""
    rows = signs.parted(_below(revision, folder), folder)
    found = rows.filter(_has(text.sought(unicodedata.normalize("NFC", words))))
    return paginate(found.order_by("path").select_related("blob"), page, PAGE_SIZE)


def first_below(revision: Revision, folder: str, *, most: int) -> list[File]:
    """Give the first files in a folder, whatever deep."""
    return list(_below(revision, folder).order_by("path").select_related("blob")[:most])


# --- what is asked -----------------------------------------------------------------------
def _counted(rows: Any, is_file: Q) -> tuple[int, int]:  # noqa: ANN401  of an alias
    """Count the folders and the files, in one query: `one` puts all rows together."""
    counts = rows.annotate(one=Value(1)).values("one")
    counts = counts.annotate(folders=Count("part", distinct=True, filter=~is_file))
    counts = counts.annotate(files=Count("pk", filter=is_file))
    return next(iter(counts.values_list("folders", "files")), (0, 0))


def _folders(rows: "QuerySet[File]", folder: str, first: int, last: int) -> list[Folder]:
    totals = rows.annotate(called=F("part")).order_by("called").values("called")
    told = totals.annotate(many=Count("pk"), bytes=Sum("blob__size_bytes"))
    return [
        Folder(
            path=f"{folder}/{row['called']}" if folder else row["called"],
            file_count=row["many"],
            size_bytes=row["bytes"],
        )
        for row in told[first:last]
    ]


def _parted(revision: Revision, folder: str) -> Any:  # noqa: ANN401  of an alias
    """Name the folder that each path goes on with: its `part`."""
    rows = signs.parted(_below(revision, folder), folder)
    return rows.alias(part=Substr(F("rest"), 1, F("slash") - 1))


def _below(revision: Revision, folder: str) -> "QuerySet[File]":
    rows = File.objects.filter(revision=revision).order_by()
    return signs.by_key(rows).filter(signs.within(folder)) if folder else rows


def _has(words: str) -> Q:
    """Whatever the capitals: SQLite knows those of a to z only."""
    ways = {words} if words.isascii() else {words, words.lower(), words.upper()}
    found = Q()
    for way in sorted(ways):
        found |= Q(rest__icontains=way)
    return found

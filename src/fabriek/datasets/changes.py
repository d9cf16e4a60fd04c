"""What differs between two revisions, and how much each revision changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import Count, Exists, OuterRef, Q

from fabriek.store.models import File, Revision

Known = dict[str, tuple[str, int]]


class Kind(StrEnum):
    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One file that differs; sizes are those before and after, nothing where it was not."""

    path: str
    kind: Kind
    before_bytes: int | None = None
    after_bytes: int | None = None
    before_sha256: str = ""
    after_sha256: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """All changes by name, and how many of each kind; bytes that came and that went."""

    changes: list[Change]
    added: int
    changed: int
    removed: int
    bytes_added: int
    bytes_removed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    added: int
    changed: int
    removed: int


def between(before: Revision | None, after: Revision) -> Difference:
    """Compare two listings; nothing before means that all was added."""
    old, new = _listing(before), _listing(after)
    changes = [
        _change(path, old.get(path), new.get(path))
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]
    return Difference(
        changes=changes,
        added=_count(changes, Kind.ADDED),
        changed=_count(changes, Kind.CHANGED),
        removed=_count(changes, Kind.REMOVED),
        bytes_added=sum(change.after_bytes or 0 for change in changes),
        bytes_removed=sum(change.before_bytes or 0 for change in changes),
    )


def counted(revisions: Iterable[Revision]) -> dict[int, Counts]:
    """Say of each revision what it changed in the one before it: {primary key: counts}.

    One question for all of them; what went follows from the totals.
    """
    listed = list(revisions)
    there = File.objects.filter(revision=OuterRef("revision__parent"), path=OuterRef("path"))
    rows = (
        File.objects.filter(revision__in=[each.pk for each in listed])
        .annotate(is_old=Exists(there), is_same=Exists(there.filter(blob=OuterRef("blob"))))
        .order_by()
        .values("revision")
        .annotate(
            added=Count("pk", filter=Q(is_old=False)),
            same=Count("pk", filter=Q(is_same=True)),
        )
        .values_list("revision", "added", "same")
    )
    found = {pk: (added, same) for pk, added, same in rows}
    return {each.pk: _counts(each, *found.get(each.pk, (0, 0))) for each in listed}


def _counts(revision: Revision, added: int, same: int) -> Counts:
    before = revision.parent.file_count if revision.parent else 0
    kept = revision.file_count - added
    return Counts(added=added, changed=kept - same, removed=before - kept)


def _listing(revision: Revision | None) -> Known:
    if revision is None:
        return {}
    rows = revision.files.order_by().values_list("path", "blob__sha256", "blob__size_bytes")
    return {path: (sha256, size_bytes) for path, sha256, size_bytes in rows}


def _change(path: str, old: tuple[str, int] | None, new: tuple[str, int] | None) -> Change:
    kind = Kind.ADDED if old is None else Kind.REMOVED if new is None else Kind.CHANGED
    return Change(
        path=path,
        kind=kind,
        before_bytes=old[1] if old else None,
        after_bytes=new[1] if new else None,
        before_sha256=old[0] if old else "",
        after_sha256=new[0] if new else "",
    )


def _count(changes: Sequence[Change], kind: Kind) -> int:
    return sum(change.kind == kind for change in changes)

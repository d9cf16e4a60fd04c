"""What a repository holds, in the order and the words of the Hub; values, not objects."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Exists, Max

from fabriek.hub import folders, git_names, lean, refusals
from fabriek.store import queries as store
from fabriek.store import signs
from fabriek.store.models import MAIN, Blob, File, Ref, Repository, Revision
from fabriek.store.refusals import dropped

COMMIT_ID = re.compile(r"[0-9a-f]{40}")
# A branch may be `feature/dutch/short`: so many words of an address may be its name.
REF_WORDS_MAX = 6
FOLDERS_AT_ONCE = 100
Files = Mapping[str, File | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """Where the name of a revision leads: a revision, or the beginning, before any file.

    `read`: files of it that were read along, by path; None for what is not there.
    """

    commit_id: str
    revision: Revision | None = None
    read: Files = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A file as the Hub tells of it. `sha1`: empty for what goes by its SHA-256."""

    path: str
    sha256: str
    size_bytes: int
    sha1: str

    @property
    def oid(self) -> str:
        return self.sha1 or self.sha256


def is_sane(text: str) -> bool:
    """Tell whether a database takes it: no zero byte, no half of a sign."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


# --- revisions ---------------------------------------------------------------------------
def beginning(repository: Repository) -> str:
    """Name the commit that a repository begins with: clients want one where no file is."""
    text = f"the beginning of repository {repository.pk}"
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def point(repository: Repository, name: str) -> Point:
    """Find a revision by branch, tag or 40 hexadecimal signs. Raises: RevisionNotFound."""
    found, rest = point_and_path(repository, name)
    if rest:
        raise refusals.revision_not_found(name)
    return found


def point_and_path(
    repository: Repository, rest: str, *, is_file: bool = False
) -> tuple[Point, str]:
    """Part `main/data/a.csv` into a revision and a path; names of branches may have a `/`.

    `is_file`: the path is one of a file, which is read along. Raises: RevisionNotFound.
    """
    if not is_sane(rest):
        raise refusals.revision_not_found("?")
    first, _slash, path = rest.partition("/")
    along = _normal(path) if is_file else ""
    if first == MAIN:
        return _newest(repository, MAIN, along=along), path
    if COMMIT_ID.fullmatch(first):
        return _by_commit(repository, first, along=along), path
    return _by_ref(repository, rest)


def kept(point: Point) -> Point:
    """Give the point back. Raises: RevisionNotFound, when its owner removed its files."""
    if point.revision and point.revision.dropped_at:
        # In the words of clients it is gone: else they make an empty folder of it.
        sentence = dropped(point.revision).sentence
        raise refusals.RevisionNotFound(sentence, code="dropped")
    return point


def branches(repository: Repository, refs: Iterable[Ref]) -> dict[str, str]:
    """Give the newest commit of each branch, `main` first; as many queries for any number."""
    began = {ref.name: ref.revision for ref in refs if ref.kind == Ref.Kind.BRANCH}
    saved = repository.revisions.filter(branch__in=[MAIN, *began])
    last = saved.order_by().values("branch").annotate(last=Max("number"))
    numbers = dict(last.values_list("branch", "last"))
    rows = repository.revisions.filter(number__in=numbers.values())
    newest = dict(rows.values_list("branch", "commit_id"))
    told = {MAIN: newest.get(MAIN) or beginning(repository)}
    return told | {
        name: newest.get(name) or _point(repository, start).commit_id
        for name, start in began.items()
    }


def branch_exists(repository: Repository, name: str) -> bool:
    refs = repository.refs.filter(kind=Ref.Kind.BRANCH, name=name)
    return name == MAIN or (is_sane(name) and refs.exists())


def _newest(repository: Repository, branch: str, *, along: str = "") -> Point:
    saved, read = lean.newest(repository, branch, along=along)
    if saved is None and branch != MAIN:
        saved = store.latest(repository, branch=branch)  # where it began
    return _point(repository, saved, read)


def _point(
    repository: Repository, revision: Revision | None, read: Files | None = None
) -> Point:
    commit_id = revision.commit_id if revision else beginning(repository)
    return Point(commit_id=commit_id, revision=revision, read=read or {})


def _by_commit(repository: Repository, commit_id: str, *, along: str = "") -> Point:
    found, read = lean.by_commit(repository, commit_id, along=along)
    if found is None and commit_id != beginning(repository):
        raise refusals.revision_not_found(commit_id)
    return Point(commit_id=commit_id, revision=found, read=read)


def _by_ref(repository: Repository, rest: str) -> tuple[Point, str]:
    words = rest.split("/")
    counts = range(1, min(len(words), REF_WORDS_MAX) + 1)
    names = {"/".join(words[:count]): count for count in counts}
    refs = repository.refs.filter(name__in=names).select_related("revision")
    ref = min(refs, key=lambda ref: len(ref.name), default=None)
    if ref is None:
        raise refusals.revision_not_found(words[0])
    path = "/".join(words[names[ref.name] :])
    if ref.kind == Ref.Kind.BRANCH:
        return _newest(repository, ref.name), path
    return _point(repository, ref.revision), path


# --- files -------------------------------------------------------------------------------
def file(point: Point, path: str) -> File:
    """Find one file. Raises: EntryNotFound."""
    path = _normal(path)
    if path in point.read:
        found = point.read[path]
    else:
        found = lean.file(point.revision, path) if point.revision else None
    if found is None:
        raise refusals.entry_not_found(path, point.commit_id)
    return found


def _normal(path: str) -> str:
    return unicodedata.normalize("NFC", path)


def entries(point: Point, paths: Iterable[str] | None = None) -> list[Entry]:
    """Give all files of a revision, or those of `paths` that are there."""
    if point.revision is None:
        return []
    if paths is None:
        found = _entries(folders.all_files(point.revision))
        store.require_all(point.revision, found)  # dropped while we looked
        return found
    rows = File.objects.filter(revision=point.revision).values_list(*folders.VALUES)
    some = store.batches(sorted(set(paths)))
    return [entry for batch in some for entry in _entries(list(rows.filter(path__in=batch)))]


def paths(revision: Revision | None) -> list[str]:
    """Give the names of all files of a revision, in the order of their signs."""
    if revision is None:
        return []
    return sorted(File.objects.filter(revision=revision).values_list("path", flat=True))


def folders_among(point: Point, paths: Iterable[str]) -> list[str]:
    """Name those of `paths` that are folders."""
    if point.revision is None:
        return []
    rows = signs.by_key(File.objects.filter(revision=point.revision))
    asked = list(paths)
    found: list[str] = []
    for start in range(0, len(asked), FOLDERS_AT_ONCE):
        some = asked[start : start + FOLDERS_AT_ONCE]
        each = [Exists(rows.filter(signs.within(path))) for path in some]
        its = Revision.objects.filter(pk=point.revision.pk).values_list(*each).first() or ()
        found += (path for path, is_there in zip(some, its, strict=True) if is_there)
    return found


def page_of_files(revision: Revision, folder: str, *, after: str, most: int) -> list[Entry]:
    """Give files below a folder, whatever deep, in the order of their names."""
    return _entries(folders.below(revision, folder, after=after, most=most))


def page_of_folder(
    revision: Revision, folder: str, *, after: str, most: int
) -> list[Entry | str]:
    """Give what lies in a folder itself: files, and folders by their path."""
    files = _entries(folders.files_in(revision, folder, after=after, most=most))
    deeper = folders.folders_in(revision, folder, after=after, most=most)
    mixed: list[Entry | str] = [*files, *deeper]
    return sorted(mixed, key=path_of)[:most]


def path_of(entry: Entry | str) -> str:
    return entry if isinstance(entry, str) else entry.path


def _entries(values: folders.Values) -> list[Entry]:
    unnamed = [row[1] for row in values if _lacks_name(row)]
    found: dict[int, str] = {}
    for some in _tens(unnamed):
        found |= git_names.of(Blob.objects.filter(pk__in=some))
    return [
        Entry(path=path, sha256=sha256, size_bytes=size, sha1=sha1 or found.get(blob, ""))
        for path, blob, sha256, size, sha1 in values
    ]


def _lacks_name(row: tuple[Any, ...]) -> bool:
    return row[4] is None and row[3] <= git_names.REGULAR_BYTES_MAX


def _tens(keys: list[int]) -> Iterator[list[int]]:
    distinct = list(dict.fromkeys(keys))
    return (distinct[i : i + 100] for i in range(0, len(distinct), 100))


# --- history -----------------------------------------------------------------------------
def history(point: Point) -> list[int]:
    """Give the keys of the revisions that led to this one, newest first."""
    revision = point.revision
    if revision is None:
        return []
    rows = Revision.objects.filter(repository=revision.repository_id)
    parents = dict(rows.values_list("pk", "parent"))
    keys: list[int] = []
    key: int | None = revision.pk
    while key is not None:
        keys.append(key)
        key = parents.get(key)
    return keys

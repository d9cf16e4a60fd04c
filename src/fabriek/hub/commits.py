"""One commit: what clients sent line by line becomes one revision, or nothing."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from django.db import transaction
from django.utils.translation import gettext as _

from fabriek.agreements import blind, descent
from fabriek.datasets import rules as datasets
from fabriek.hub import doors, queries, refusals, taking
from fabriek.hub.commit_lines import Gone, Header, Large, Line, Small
from fabriek.hub.ref_actions import message_of
from fabriek.kernel.errors import Refused, TooLarge
from fabriek.people.models import Person
from fabriek.registry import pushed
from fabriek.store import actions as store
from fabriek.store import held, paths
from fabriek.store import queries as kept
from fabriek.store.models import MAIN, Blob, Repository, Revision
from fabriek.store.refusals import RepositoryGone
from fabriek.store.singles import checked

SHORTEST_COMMIT_ID = 7  # as git shortens them
# Small files go into the store some at a time: never all of a commit in memory.
FILES_MAX = 1_000_000  # each is held by its name
AT_ONCE, AT_ONCE_BYTES = 5000, 32 * 2**20


@dataclass
class Draft:
    """What a commit says so far; bytes are in the store by then, and only named here."""

    newest: Revision | None
    files: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)  # left out whole, each with a / behind it
    header: Header | None = None

    @cached_property
    def there(self) -> list[str]:
        """Name what the branch holds: read once, however many folders are left out."""
        return queries.paths(self.newest)


def commit(
    repository: Repository, branch: str, lines: Iterable[Line], *, by: Person
) -> Revision | None:
    """Save a revision of `branch`; nothing is changed when one line will not do.

    Gives nothing for a commit without files to a repository that has none.

    Raises:
        RevisionNotFound: there is no such branch.
        Stale: its newest revision is not the one that the client began with.
        Unreadable, Invalid, Refused: a line, a path or bytes that were never sent.
    """
    doors.require_write(by, repository)
    if not queries.branch_exists(repository, branch):
        raise refusals.revision_not_found(branch)
    newest = kept.latest(repository, branch=branch)
    draft = _drafted(repository, lines, newest, by=by)
    header = draft.header or Header(summary="", description="", parent="")
    parent = _parent(repository, header.parent, newest)
    if not draft.files and not draft.gone:
        return newest
    change = store.Change(
        files=draft.files,
        message=message_of(header.summary, header.description) or "Upload",
        parent=parent,
        delete=draft.gone - draft.files.keys(),
        branch=branch,
        even_if_same=blind.is_blind(by, repository),
    )
    blind.require_sent(repository, draft.files, by=by)
    if repository.kind == Repository.Kind.MODEL:
        here = kept.claimed(repository, draft.files.values())
        pushed.require_data_only({p: here[s] for p, s in draft.files.items() if s in here})
    if repository.kind == Repository.Kind.MODEL and branch == MAIN:
        pushed.require_still_whole(repository, _content(repository, change, newest))
    inside = descent.looked_into(repository, draft.files, by=by)
    revision = _saved(repository, change, by=by, inside=inside)
    if repository.kind == Repository.Kind.MODEL:
        pushed.take_note(repository, revision, by=by)
    return revision


def _content(
    repository: Repository, change: store.Change, newest: Revision | None
) -> dict[str, Blob]:
    """Give the files as they would be after the change; what is missing is refused later."""
    here = kept.claimed(repository, (str(sha256) for sha256 in change.files.values()))
    content = kept.listing(newest)
    content |= {p: here[str(s)] for p, s in change.files.items() if str(s) in here}
    return {path: blob for path, blob in content.items() if path not in change.delete}


def _saved(
    repository: Repository,
    change: store.Change,
    *,
    by: Person,
    inside: Collection[str] | None,
) -> Revision:
    try:
        with transaction.atomic():
            # While the bytes came in the case may have been closed, or the branch removed.
            _require_there(repository, change.branch)
            doors.require_write(by, repository)
            revision = store.save(repository, change, by=by)
            datasets.require_save(by, repository)
            sent = store.named(change.files)
            pushed.pass_terms_on(revision, sent, by=by, inside=inside)
            return revision
    except Refused as error:
        if error.code == "stale_parent":
            raise refusals.Stale(error.sentence) from error
        if error.code == "not_there":
            raise refusals.EntryNotFound(error.sentence) from error
        raise


def _require_there(repository: Repository, branch: str) -> None:
    """Look once more, under the lock that whoever takes one of them away waits for.

    Else the files would stand where nobody finds them, until a new branch of that name begins
    with them. Raises: RepoNotFound, RevisionNotFound.
    """
    try:
        is_there = bool(held.to_save(repository).name)  # what was read stays, without a name
    except RepositoryGone:
        is_there = False
    if not is_there:
        raise refusals.repo_not_found()
    if not queries.branch_exists(repository, branch):
        raise refusals.revision_not_found(branch)


# --- reading the lines -------------------------------------------------------------------
def _drafted(
    repository: Repository, lines: Iterable[Line], newest: Revision | None, *, by: Person
) -> Draft:
    draft = Draft(newest=newest)
    held: list[taking.SmallFile] = []
    held_bytes = 0
    for line in lines:
        match line:
            case Header():
                draft.header = line
                _parent(repository, line.parent, newest)  # before the first byte is kept
            case Gone():
                draft.gone |= _gone(line, draft)
            case Large():
                draft.files[_new_path(repository, line.path, draft)] = checked(line.sha256)
            case Small():
                path = _new_path(repository, line.path, draft)
                draft.files[path] = ""
                held.append(taking.SmallFile(path=path, content=line.content))
                held_bytes += len(line.content)
        if len(draft.files) + len(draft.gone) > FILES_MAX:
            raise TooLarge(_("A commit may name a million files. Commit some at a time."))
        if len(held) >= AT_ONCE or held_bytes >= AT_ONCE_BYTES:
            _take(repository, held, draft, by=by)
            held_bytes = 0
    _take(repository, held, draft, by=by)
    return draft


def _take(
    repository: Repository, held: list[taking.SmallFile], draft: Draft, *, by: Person
) -> None:
    draft.files |= taking.take(repository, held, by=by)
    held.clear()


def _new_path(repository: Repository, path: str, draft: Draft) -> str:
    """Clean a path that may stand in this commit once. Raises: Invalid."""
    clean = paths.clean(path)
    if clean in draft.files:
        raise paths.named_twice(path)
    if repository.kind == Repository.Kind.MODEL:
        pushed.require_name(clean)
    return clean


def _gone(line: Gone, draft: Draft) -> set[str]:
    """Name the files that a line leaves out; of a folder that an earlier line did, none anew.

    A million lines may name the same million files.
    """
    if not line.is_folder:
        return {paths.clean(line.path)}
    is_all = not line.path.strip("/")
    folder = "" if is_all else f"{paths.clean(line.path.rstrip('/'))}/"
    if any(above in draft.folders for above in _with_those_above(folder)):
        return set()
    first = bisect_left(draft.there, folder)
    end = len(draft.there) if is_all else bisect_left(draft.there, _behind(folder), lo=first)
    if found := set(draft.there[first:end]):
        draft.folders.add(folder)
    return found


def _behind(folder: str) -> str:
    """Give what comes after all that is in a folder: `a0` for `a/`."""
    return folder[:-1] + chr(ord("/") + 1)


def _with_those_above(folder: str) -> Iterator[str]:
    """Give "", "a/", "a/b/" for the last of these."""
    yield ""
    at = folder.find("/")
    while at >= 0:
        yield folder[: at + 1]
        at = folder.find("/", at + 1)


def _parent(repository: Repository, said: str, newest: Revision | None) -> Revision | None:
    """Find what the client began with. Raises: Stale, when the branch went on since."""
    if not said:
        return None
    now = newest.commit_id if newest else queries.beginning(repository)
    if len(said) < SHORTEST_COMMIT_ID or not now.startswith(said.lower()):
        raise refusals.stale(now)
    return newest

"""Everything that can be done in the store. Who may do it is decided by the stage that asks."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from fabriek.cases.models import Case
from fabriek.kernel import journal
from fabriek.kernel.errors import Invalid
from fabriek.kernel.text import PLAIN
from fabriek.people.models import Organisation, Person
from fabriek.store import held, lists, paths, queries, refusals
from fabriek.store.arriving import adopt, store_bytes
from fabriek.store.base import Brought
from fabriek.store.lists import Content, Named, digest_of
from fabriek.store.many import Entry, store_many
from fabriek.store.models import MAIN, Repository, Revision
from fabriek.store.singles import checked
from fabriek.store.sweeping import Swept, sweep

__all__ = [
    "Change",
    "Entry",
    "Swept",
    "adopt",
    "commit",
    "create_repository",
    "digest_of",
    "materialise",
    "name_openly",
    "name_repository",
    "named",
    "save",
    "store_bytes",
    "store_many",
    "sweep",
]

MESSAGE_CHARACTERS = 300
OPEN_TO_ALL = "open"  # the namespace of what belongs to no case, or may not tell to which
NAME_CHARACTERS = 80  # leaves room for a code behind it
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,78}[A-Za-z0-9])?", re.ASCII)

journal.describe(
    {
        "store.create_repository": _("made a place for files"),
        "store.commit": _("saved a new revision of the files"),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What the next revision of `branch` differs in; files by their blob or SHA-256.

    `parent`: the revision that this was made from, where that must still be the newest.
    `even_if_same`: make one where nothing differs too, for who may not learn that nothing did.
    """

    files: Mapping[str, Content | str]
    message: str
    parent: Revision | None = None
    delete: Collection[str] = ()
    branch: str = MAIN
    even_if_same: bool = False


@transaction.atomic
def create_repository(
    *,
    kind: str,
    case: Case | None,
    organisation: Organisation,
    is_open: bool,
    by: Person | None,
) -> Repository:
    repository = Repository.objects.create(
        kind=kind, case=case, organisation=organisation, is_open=is_open
    )
    journal.record("store.create_repository", repository, by=by, kind=str(kind))
    return repository


@transaction.atomic
def name_repository(repository: Repository, *, code: str, title: str) -> None:
    """Say what lives here: its code and title, and how programs name it.

    That name is given once, as scripts hold on to it: the title where that can be a name, else
    one made of it; with the code behind it when the case has another of that name.
    """
    facts = {"code": code, "title": title}
    if not repository.name:
        if repository.case_id:
            # Two at once wait for each other here: names are looked at, then given. It is new,
            # so nobody holds it who waits for the case.
            rows = Case.objects.select_for_update(of=("self",), no_key=True)
            rows.get(pk=repository.case_id)
        facts["namespace"] = namespace = _namespace(repository)
        facts["name"] = _new_name(repository, namespace, title=title, code=code)
    Repository.objects.filter(pk=repository.pk).update(**facts)
    for field, value in facts.items():
        setattr(repository, field, value)


def name_openly(repository: Repository, *, name: str) -> None:
    """Take its name out of its case, for who may not know the case; the old one is gone."""
    code = repository.code or ""
    free = _new_name(repository, OPEN_TO_ALL, title=name, code=code)
    Repository.objects.filter(pk=repository.pk).update(namespace=OPEN_TO_ALL, name=free)
    repository.namespace, repository.name = OPEN_TO_ALL, free


def _namespace(repository: Repository) -> str:
    return repository.case.code if repository.case else OPEN_TO_ALL


def _new_name(repository: Repository, namespace: str, *, title: str, code: str) -> str:
    plain = title if NAME.fullmatch(title) else slugify(title)[:NAME_CHARACTERS]
    plain = plain or code.lower()
    behind = f"{plain}-{code.lower()}"
    others = Repository.objects.filter(kind=repository.kind, namespace__iexact=namespace)
    if namespace == OPEN_TO_ALL:  # who opens it is told where that is taken as well
        return behind if others.filter(name__iexact=plain).exists() else plain
    # Somebody may have called another one by just the second.
    wanted = chain([plain, behind], (f"{behind}-{number}" for number in count(2)))
    return next(name for name in wanted if not others.filter(name__iexact=name).exists())


def commit(
    repository: Repository,
    files: Mapping[str, Content | str],
    *,
    message: str,
    by: Person | None,
    parent: Revision | None = None,
    delete: Collection[str] = (),
) -> Revision:
    """Make a revision of `main`; see `save`."""
    change = Change(files=files, message=message, parent=parent, delete=delete)
    return save(repository, change, by=by)


def save(repository: Repository, change: Change, *, by: Person | None) -> Revision:
    """Make a revision: the newest one (or `parent`) with `files` put in and `delete` left out.

    When nothing would change, the newest revision is returned as it is, so that repeating a
    push is harmless; unless the change says otherwise.

    Raises:
        Invalid: a path breaks a rule, bytes were never sent here, or no file is left.
        Refused: `parent` is no longer the newest revision.
        RepositoryGone: it was removed meanwhile.
    """
    wanted = named(change.files)
    _require_message(change.message)
    with transaction.atomic():
        # Two at once wait for each other here; the number is guarded by the database as well.
        # Who sends files meanwhile need not wait, and may hold what we will ask for.
        held.to_save(repository)
        newest = queries.latest(repository, branch=change.branch)
        before = lists.of(change.parent or newest)
        content = before | _claimed(repository, wanted, before)
        for path in change.delete:
            if content.pop(path, None) is None:
                raise refusals.not_there(path)
        revision = _settled(repository, content, change, newest=newest, by=by)
        if revision != newest:
            lists.write(revision, content, before)
            # Last: whoever follows the journal waits for a while, not for a million rows.
            number, digest = revision.number, revision.digest
            journal.record("store.commit", repository, by=by, number=number, digest=digest)
        return revision


def bring(revisions: Iterable[Revision]) -> Brought:
    """Begin, or go on, to bring near what `materialise` will lay out; see `Store.bring`."""
    wanted = [blob for revision in revisions for blob in queries.listing(revision).values()]
    return queries.the_store().bring(wanted)


def materialise(revision: Revision, folder: Path) -> None:
    """Lay the files of a revision in `folder`, read-only and without copying where possible."""
    files = queries.listing(revision)
    queries.the_store().lay_out((blob, folder / path) for path, blob in files.items())


# --- committing --------------------------------------------------------------------------
class Checked(dict[str, str]):
    """{clean path: SHA-256}: what `named` gave is not looked through again."""


def named(files: Mapping[str, Content | str]) -> Checked:
    """Return {clean path: SHA-256}, both checked; the first thing `commit` does."""
    if isinstance(files, Checked):
        return files
    cleaned = paths.clean_all(files)
    return Checked(
        (cleaned[path], checked(file) if isinstance(file, str) else file.sha256)
        for path, file in files.items()
    )


def _require_message(message: str) -> None:
    if len(message.strip()) > MESSAGE_CHARACTERS:
        raise refusals.long_message()
    try:
        PLAIN(message)
    except ValidationError as error:
        raise Invalid(error.message, fields={"message": error.message}) from error


def _claimed(
    repository: Repository, wanted: Mapping[str, str], before: Mapping[str, Named]
) -> dict[str, Named]:
    """Find the bytes and lock them, so that no sweep takes them before this commit ends.

    What stands there already needs no lock: its own revision keeps it, and that can only be
    dropped under the lock that we hold.
    """
    there = {path: before[path] for path in wanted.keys() & before.keys()}
    new = {path: sha256 for path, sha256 in wanted.items() if not _is(there, path, sha256)}
    found = lists.claimed(repository, new.values())
    for path, sha256 in new.items():
        if sha256 not in found:
            raise refusals.never_sent(path)
    return {path: found[sha256] for path, sha256 in new.items()}


def _is(there: Mapping[str, Named], path: str, sha256: str) -> bool:
    return path in there and there[path].sha256 == sha256


def _settled(
    repository: Repository,
    content: dict[str, Named],
    change: Change,
    *,
    newest: Revision | None,
    by: Person | None,
) -> Revision:
    """Write the revision down without its files, inside the caller's transaction."""
    if not content:
        raise refusals.no_files()
    paths.check_together(content)
    digest = digest_of(content)
    if newest and newest.digest == digest and not change.even_if_same:
        return newest
    if change.parent and newest and change.parent.pk != newest.pk:
        raise refusals.stale(change.parent, newest)
    return Revision.objects.create(
        repository=repository,
        number=queries.last_number(repository) + 1,
        branch=change.branch,
        parent=newest,
        digest=digest,
        message=change.message.strip(),
        author=by,
        file_count=len(content),
        size_bytes=sum(blob.size_bytes for blob in content.values()),
    )

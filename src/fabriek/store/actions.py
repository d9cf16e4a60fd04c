"""Everything that can be done in the store. Who may do it is decided by the stage that asks."""

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from fabriek.cases.models import Case
from fabriek.kernel import journal, strange
from fabriek.people.models import Organisation, Person
from fabriek.store import paths, queries, refusals
from fabriek.store.files import checked
from fabriek.store.incoming import Received, Source
from fabriek.store.models import MAIN, Arrival, Blob, File, Repository, Revision

# Bytes that no revision names are kept this long: an upload may take a working day, and a
# push that broke off is taken up again the next morning.
KEPT = timedelta(days=1)
MESSAGE_CHARACTERS = 300
OPEN_TO_ALL = "open"  # the namespace of what belongs to no case
NAME_CHARACTERS = 80  # leaves room for a code behind it
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,78}[A-Za-z0-9])?", re.ASCII)

journal.describe(
    {
        "store.create_repository": _("made a place for files"),
        "store.commit": _("saved a new revision of the files"),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Swept:
    blobs: int
    size_bytes: int
    temporary: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What the next revision of `branch` differs in; files by their blob or SHA-256.

    `parent`: the revision that this was made from, where that must still be the newest.
    """

    files: Mapping[str, Blob | str]
    message: str
    parent: Revision | None = None
    delete: Collection[str] = ()
    branch: str = MAIN


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


def name_repository(repository: Repository, *, code: str, title: str) -> None:
    """Say what lives here: its code and title, and how programs name it.

    That name is given once, as scripts hold on to it: the title where that can be a name, else
    one made of it; with the code behind it when the case has another of that name.
    """
    facts = {"code": code, "title": title}
    if not repository.name:
        facts["namespace"] = namespace = _namespace(repository)
        facts["name"] = _new_name(repository, namespace, title=title, code=code)
    Repository.objects.filter(pk=repository.pk).update(**facts)
    for field, value in facts.items():
        setattr(repository, field, value)


def _namespace(repository: Repository) -> str:
    return repository.case.code if repository.case else OPEN_TO_ALL


def _new_name(repository: Repository, namespace: str, *, title: str, code: str) -> str:
    plain = title if NAME.fullmatch(title) else slugify(title)[:NAME_CHARACTERS]
    plain = plain or code.lower()
    same = Repository.objects.filter(
        kind=repository.kind, namespace__iexact=namespace, name__iexact=plain
    )
    return f"{plain}-{code.lower()}" if same.exists() else plain


def store_bytes(
    repository: Repository,
    source: Source,
    *,
    by: Person | None,
    expected_sha256: str | None = None,
) -> Blob:
    """Take in a stream for the next revision of `repository`; nothing names it yet.

    Bytes that no revision names within a day are swept away.

    Raises:
        TooLarge, StorageFull, Invalid: see `FolderStore.receive`; nothing is left behind.
    """
    received = queries.the_store().receive(
        repository.organisation_id,
        source,
        limit_bytes=settings.UPLOAD_LIMIT_BYTES,
        expected_sha256=expected_sha256,
    )
    return _arrived(repository, received, by=by)


def adopt(
    repository: Repository,
    path: Path,
    *,
    by: Person | None,
    within: strange.Place | None = None,
    limit_bytes: int | None = None,
) -> Blob:
    """Take in a file that is on our disk already, such as an output `within` a run's folder.

    A file of ours alone becomes read-only where it lies, because it may share its bytes with
    the store; one that a job left never does.

    Raises:
        TooLarge: larger than one file may be, or than `limit_bytes`.
        Invalid, StorageFull: see `FolderStore.adopt`.
    """
    limit = settings.UPLOAD_LIMIT_BYTES
    received = queries.the_store().adopt(
        repository.organisation_id,
        path,
        limit_bytes=limit if limit_bytes is None else min(limit, limit_bytes),
        within=within,
    )
    return _arrived(repository, received, by=by)


def commit(
    repository: Repository,
    files: Mapping[str, Blob | str],
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
    push is harmless.

    Raises:
        Invalid: a path breaks a rule, bytes were never sent here, or no file is left.
        Refused: `parent` is no longer the newest revision.
    """
    wanted = named(change.files)
    if len(change.message.strip()) > MESSAGE_CHARACTERS:
        raise refusals.long_message()
    with transaction.atomic():
        # Two at once wait for each other here; the number is guarded by the database as well.
        Repository.objects.select_for_update().get(pk=repository.pk)
        newest = queries.latest(repository, branch=change.branch)
        content = queries.listing(change.parent or newest)
        content.update(_claimed(repository, wanted))
        for path in change.delete:
            if content.pop(path, None) is None:
                raise refusals.not_there(path)
        return _settled(repository, content, change, newest=newest, by=by)


def materialise(revision: Revision, folder: Path) -> None:
    """Lay the files of a revision in `folder`, read-only and without copying where possible."""
    store = queries.the_store()
    for path, blob in queries.listing(revision).items():
        store.materialise(blob, folder / path)


def collect_folder(
    repository: Repository, folder: Path, *, message: str, by: Person | None
) -> Revision:
    """Make a revision that holds exactly the files below `folder`, such as a run's outputs.

    Raises:
        Invalid: there is a link or something else that is no plain file, or a name that
            breaks a rule; nothing is committed then.
    """
    found = {path.relative_to(folder).as_posix(): path for path in _below(folder)}
    paths.check_together(paths.clean_all(found).values())
    files = {name: adopt(repository, path, by=by) for name, path in found.items()}
    kept = set(paths.clean_all(found).values())
    gone = queries.listing(queries.latest(repository)).keys() - kept
    return commit(repository, files, message=message, by=by, delete=gone)


def sweep(now: datetime) -> Swept:
    """Remove bytes that no revision names and nobody sent for a day, and broken-off uploads.

    The row goes first, under a lock that a commit waits for; then the file, unless somebody
    sent it again meanwhile (see `FolderStore._is_here`). A crash in between leaves a file
    that no row names: it costs room until the same bytes come again, and never data.
    """
    before = now - KEPT
    store = queries.the_store()
    Arrival.objects.filter(at__lt=before).delete()
    gone = [blob for blob in _unnamed(before).iterator() if _forget(blob, before=before)]
    for blob in gone:
        store.discard(blob, untouched_since=before.timestamp())
    return Swept(
        blobs=len(gone),
        size_bytes=sum(blob.size_bytes for blob in gone),
        temporary=store.sweep_temporary(before=before.timestamp()),
    )


# --- taking in ---------------------------------------------------------------------------
@transaction.atomic
def _arrived(repository: Repository, received: Received, *, by: Person | None) -> Blob:
    now = timezone.now()
    blob, _new = Blob.objects.update_or_create(
        organisation_id=repository.organisation_id,
        sha256=received.sha256,
        defaults={"stored_at": now},
        create_defaults={"stored_at": now, "size_bytes": received.size_bytes},
    )
    Arrival.objects.update_or_create(
        repository=repository, blob=blob, defaults={"by": by, "at": now}
    )
    return blob


def _below(folder: Path) -> Iterator[Path]:
    """Name every file; links are named too, so that taking them in refuses them."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)
        else:
            yield path


# --- committing --------------------------------------------------------------------------
def named(files: Mapping[str, Blob | str]) -> dict[str, str]:
    """Return {clean path: SHA-256}, both checked; the first thing `commit` does."""
    cleaned = paths.clean_all(files)
    return {
        cleaned[path]: file.sha256 if isinstance(file, Blob) else checked(file)
        for path, file in files.items()
    }


def _claimed(repository: Repository, wanted: Mapping[str, str]) -> dict[str, Blob]:
    """Find the bytes and lock them, so that no sweep takes them before this commit ends."""
    found = queries.claimed(repository, wanted.values(), lock=True)
    for path, sha256 in wanted.items():
        if sha256 not in found:
            raise refusals.never_sent(path)
    return {path: found[sha256] for path, sha256 in wanted.items()}


def _settled(
    repository: Repository,
    content: dict[str, Blob],
    change: Change,
    *,
    newest: Revision | None,
    by: Person | None,
) -> Revision:
    """Write the revision down, inside the caller's transaction."""
    if not content:
        raise refusals.no_files()
    paths.check_together(content)
    digest = digest_of(content)
    if newest and newest.digest == digest:
        return newest
    if change.parent and newest and change.parent.pk != newest.pk:
        raise refusals.stale(change.parent, newest)
    revision = Revision.objects.create(
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
    rows = [File(revision=revision, path=path, blob=blob) for path, blob in content.items()]
    File.objects.bulk_create(rows, batch_size=queries.AT_ONCE)
    journal.record("store.commit", repository, by=by, number=revision.number, digest=digest)
    return revision


def digest_of(content: Mapping[str, Blob]) -> str:
    """Name a listing by what is in it: SHA-256 over sorted lines `sha256 size path`."""
    lines = (f"{content[p].sha256} {content[p].size_bytes} {p}\n" for p in sorted(content))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


# --- sweeping ----------------------------------------------------------------------------
def _unnamed(before: datetime) -> QuerySet[Blob]:
    named = File.objects.filter(blob=OuterRef("pk"))
    arrived = Arrival.objects.filter(blob=OuterRef("pk"))
    return Blob.objects.filter(~Exists(named), ~Exists(arrived), stored_at__lt=before)


@transaction.atomic
def _forget(blob: Blob, *, before: datetime) -> bool:
    """Remove the row unless it was named since: the second look comes after the lock."""
    if not Blob.objects.select_for_update().filter(pk=blob.pk).exists():
        return False
    if not _unnamed(before).filter(pk=blob.pk).exists():
        return False
    Blob.objects.filter(pk=blob.pk).delete()
    return True

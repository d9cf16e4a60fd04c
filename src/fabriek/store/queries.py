"""What the store holds: the newest revision, its files, and which bytes may be named."""

import os
from collections.abc import Collection, Iterable, Iterator, Sized
from functools import cache
from itertools import islice
from pathlib import Path

from django.conf import settings
from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.utils.module_loading import import_string

from fabriek.people.models import Person
from fabriek.store import keys, refusals, suspects
from fabriek.store.among import among
from fabriek.store.base import Store
from fabriek.store.files import FolderStore
from fabriek.store.models import (
    LARGE_BYTES,
    MAIN,
    Arrival,
    Blob,
    Damage,
    File,
    Ref,
    Repository,
    Revision,
)

# Databases bound how many values one statement may carry; `among` makes one of many.
AT_ONCE, MANY = 500, 5000


def the_store() -> Store:
    home = _ours_alone(settings.STORE_HOME)
    if not settings.STORE_BUCKET:
        return FolderStore(home, is_the_store=True)
    return _in_bucket(
        settings.STORE_BUCKET, settings.S3_ENDPOINT, home, settings.STORE_NEAR_BYTES
    )


@cache
def _in_bucket(address: str, endpoint: str, near: Path, near_bytes: int) -> Store:
    """Open the bucket once: what is being brought is known to one object of this process."""
    # By its name, as only a factory with a bucket has the packages it needs.
    opened = import_string("fabriek.store.bucket.opened")
    store: Store = opened(address, endpoint=endpoint, near=near, near_bytes=near_bytes)
    return store


@cache
def _ours_alone(home: Path) -> Path:
    """Let nobody else of this machine in: the files themselves may be read by everybody."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if home.stat().st_uid == os.geteuid():
        home.chmod(0o700)
    return home


def latest(repository: Repository, *, branch: str = MAIN) -> Revision | None:
    """Give the newest revision of a branch; of a branch without one, where it began."""
    saved = repository.revisions.filter(branch=branch).order_by("-number").first()
    if saved or branch == MAIN:
        return saved
    return repository.revisions.filter(refs__kind=Ref.Kind.BRANCH, refs__name=branch).first()


def last_number(repository: Repository) -> int:
    """Give the highest number, of any branch: numbers tell revisions of a repository apart."""
    return repository.revisions.aggregate(last=Max("number"))["last"] or 0


def listing(revision: Revision | None) -> dict[str, Blob]:
    """Return every file of a revision: {path: blob}. Raises: Refused, when it was dropped."""
    if revision is None:
        return {}
    # Each blob is made from its columns: with a row of the list beside it, it takes twice as
    # long for a hundred thousand files.
    names = [column.attname for column in Blob._meta.concrete_fields]
    rows = File.objects.filter(revision=revision).order_by("path")
    values = rows.values_list("path", *(f"blob__{name}" for name in names))
    found = {
        path: Blob.from_db(rows.db, names, columns) for path, *columns in values.iterator()
    }
    require_all(revision, found)
    return found


def require_all(revision: Revision, found: Sized) -> None:
    """Refuse a list that is gone: a revision has files, and loses all of them at once."""
    if revision.file_count and not len(found):
        raise refusals.dropped(revision)


def nameable(repository: Repository, sha256s: Collection[str]) -> set[str]:
    """Say which of some thousands of bytes a revision of this repository may name.

    Those that arrived here, and those that repositories of the same case name already: a
    SHA-256 that somebody guessed or saw elsewhere opens nothing. What terms of others bind
    (`inherited`, written by agreements) is named in its own place only, or naming it in
    another would be a way around them.

    What arrived is asked first: asked together, the database reads all lists of the case.
    """
    found = _sha256s(arrived(repository, sha256s))
    if rest := set(sha256s) - found:
        found |= _sha256s(named_in_case(repository, rest))
    return found


def arrived(repository: Repository, sha256s: Collection[str]) -> "QuerySet[Blob]":
    return _arrived(repository, _ours(repository, sha256s))


def sent_by(person: Person, repository: Repository, sha256s: Iterable[str]) -> set[str]:
    """Name those that arrived here last from this person."""
    found: set[str] = set()
    for some in batches(dict.fromkeys(sha256s), MANY):
        found |= _sha256s(_arrived(repository, _ours(repository, some), by=person))
    return found


def named_in_case(repository: Repository, sha256s: Collection[str]) -> "QuerySet[Blob]":
    """Give those that a repository of the same case names, or this one itself."""
    return _named_in_case(repository, _ours(repository, sha256s))


def sizes_here(repository: Repository, sizes: Iterable[int]) -> set[int]:
    """Say of which sizes there may be bytes that a revision of this repository may name.

    Of another size than all of those is only what was never sent: it can be sent unread. Of
    small files this is not known; it may be so of each.
    """
    asked = set(sizes)
    perhaps = {size for size in asked if size < LARGE_BYTES}
    blobs = Blob.objects.filter(
        organisation_id=repository.organisation_id,
        size_bytes__gte=LARGE_BYTES,  # the index knows those
        size_bytes__in=asked - perhaps,
    )
    for here in (_arrived(repository, blobs), _named_in_case(repository, blobs)):
        perhaps.update(here.values_list("size_bytes", flat=True).distinct())
    return perhaps


def _arrived(
    repository: Repository, blobs: "QuerySet[Blob]", *, by: Person | None = None
) -> "QuerySet[Blob]":
    here = Arrival.objects.filter(repository=repository)
    here = here.filter(by=by) if by else here
    packs = here.filter(pack__isnull=False).values("pack")
    itself = Exists(here.filter(blob=OuterRef("pk")))
    return blobs.filter(Q(pack__in=packs) | itself)


def _named_in_case(repository: Repository, blobs: "QuerySet[Blob]") -> "QuerySet[Blob]":
    siblings = Q(pk=repository.pk)
    if repository.case_id:
        siblings |= Q(
            case_id=repository.case_id,
            organisation_id=repository.organisation_id,
            inherited=None,
        )
    named = File.objects.filter(
        blob=OuterRef("pk"), revision__repository__in=Repository.objects.filter(siblings)
    )
    return blobs.filter(Exists(named))


def _ours(repository: Repository, sha256s: Collection[str]) -> "QuerySet[Blob]":
    return Blob.objects.filter(among(sha256s), organisation_id=repository.organisation_id)


def _sha256s(rows: "QuerySet[Blob]") -> set[str]:
    return set(rows.values_list("sha256", flat=True))


def claimed(repository: Repository, sha256s: Iterable[str]) -> dict[str, Blob]:
    """Return those a revision may name, by their SHA-256."""
    return {
        blob.sha256: blob
        for some in batches(sorted(set(sha256s)), MANY)
        for blob in _ours(repository, nameable(repository, some)).order_by("sha256")
    }


def missing(
    repository: Repository, sha256s: Iterable[str], *, sent_by: Person | None = None
) -> list[str]:
    """Return those that must still be sent, in the order asked, each once.

    `sent_by`: what somebody else sent, or what stands here for longer, must be sent as well.
    """
    asked = list(dict.fromkeys(sha256s))
    here: set[str] = set()
    for some in batches(asked, MANY):
        # Of new bytes this finds nothing, and is a tenth of what is asked of known ones.
        if known := keys.of(repository.organisation_id, some).keys():
            here |= _told(repository, known, sent_by)
    if here:
        here -= harmed(repository.organisation_id)
    return [sha256 for sha256 in asked if sha256 not in here]


def _told(repository: Repository, sha256s: Collection[str], by: Person | None) -> set[str]:
    return sent_by(by, repository, sha256s) if by else nameable(repository, sha256s)


def damaged_in(repository: Repository, revisions: Iterable[Revision]) -> dict[int, int]:
    """Count the files with damaged bytes: {primary key of a revision: files}."""
    numbers = [revision.pk for revision in revisions]
    found: dict[int, int] = {}
    for some in batches(harmed(repository.organisation_id)):
        hurt = File.objects.filter(revision__in=numbers, blob__sha256__in=some)
        for pk in hurt.values_list("revision", flat=True):
            found[pk] = found.get(pk, 0) + 1
    return found


def harmed(organisation_id: int) -> set[str]:
    """Name what is damaged, or seemed so to a reader: sending it again is what mends it."""
    lines = Damage.objects.filter(repaired_at=None, blob__organisation_id=organisation_id)
    noted = suspects.noted(settings.STORE_HOME, organisation_id)
    return noted.union(lines.values_list("sha256", flat=True))


def batches(values: Iterable[str], most: int = AT_ONCE) -> Iterator[list[str]]:
    rest = iter(values)
    while some := list(islice(rest, most)):
        yield some

"""What the store holds: the newest revision, its files, and which bytes may be named."""

import os
from collections.abc import Iterable, Iterator, Sized
from functools import cache
from itertools import islice
from pathlib import Path

from django.conf import settings
from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.utils.module_loading import import_string

from fabriek.store import refusals, suspects
from fabriek.store.base import Store
from fabriek.store.files import FolderStore
from fabriek.store.models import MAIN, Arrival, Blob, Damage, File, Ref, Repository, Revision

# Databases bound how many values one statement may carry.
AT_ONCE = 500


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


def claimable(repository: Repository) -> QuerySet[Blob]:
    """Bytes a revision of this repository may name.

    Those that arrived here, and those that repositories of the same case name already: a
    SHA-256 that somebody guessed or saw elsewhere opens nothing. What terms of others bind
    (`inherited`, written by agreements) is named in its own place only, or naming it in
    another would be a way around them.
    """
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
    arrived = Arrival.objects.filter(blob=OuterRef("pk"), repository=repository)
    ours = Blob.objects.filter(organisation_id=repository.organisation_id)
    return ours.filter(Exists(arrived) | Exists(named))


def claimed(
    repository: Repository, sha256s: Iterable[str], *, lock: bool = False
) -> dict[str, Blob]:
    """Return those a revision may name, by their SHA-256; `lock` needs a transaction."""
    rows = claimable(repository)
    if lock:
        rows = rows.select_for_update(of=("self",))
    # In one order for everybody, so that two who lock never wait for each other.
    # What is no SHA-256 is not asked for: some databases refuse a NUL outright.
    asked = batches(sorted({sha256 for sha256 in sha256s if sha256.isalnum()}))
    return {
        blob.sha256: blob
        for some in asked
        for blob in rows.filter(sha256__in=some).order_by("sha256")
    }


def missing(repository: Repository, sha256s: Iterable[str]) -> list[str]:
    """Return those that must still be sent, in the order asked, each once."""
    asked = list(dict.fromkeys(sha256s))
    here = set(claimed(repository, asked))
    if here:
        here -= _harmed(repository.organisation_id)
    return [sha256 for sha256 in asked if sha256 not in here]


def _harmed(organisation_id: int) -> set[str]:
    """Name what is damaged, or seemed so to a reader: sending it again is what mends it."""
    lines = Damage.objects.filter(repaired_at=None, blob__organisation_id=organisation_id)
    noted = suspects.noted(settings.STORE_HOME, organisation_id)
    return noted.union(lines.values_list("sha256", flat=True))


def batches(values: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(values)
    while some := list(islice(rest, AT_ONCE)):
        yield some

"""Take in the bytes of one file, from a stream or from a file that is on our disk already."""

from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from fabriek.kernel import strange
from fabriek.people.models import Person
from fabriek.store import claims, damages, held, queries
from fabriek.store.incoming import Received, Source
from fabriek.store.models import Arrival, Blob, Damage, Repository


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
    known: Received | None = None,
) -> Blob:
    """Take in a file that is on our disk already, such as an output `within` a run's folder.

    A file of ours alone becomes read-only where it lies, because it may share its bytes with
    the store; one that a job left never does. `known` is what we found while writing it.

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
        known=known,
    )
    return _arrived(repository, received, by=by)


@transaction.atomic
def _arrived(repository: Repository, received: Received, *, by: Person | None) -> Blob:
    held.hold(repository)
    now = timezone.now()
    known = Blob.objects.filter(
        organisation_id=repository.organisation_id, sha256=received.sha256, pack__isnull=False
    )
    claims.keep(known.values_list("pk", flat=True))
    # They are a file of their own now, also if they lay in a pack, whole or damaged, before.
    facts: dict[str, object] = {"stored_at": now, "pack": None, "pack_offset": 0}
    if received.blake3:
        facts["blake3"] = received.blake3
    blob, is_new = Blob.objects.update_or_create(
        organisation_id=repository.organisation_id,
        sha256=received.sha256,
        defaults=facts,
        create_defaults=facts | {"size_bytes": received.size_bytes},
    )
    if not is_new:
        damages.close([blob], how=Damage.How.SENT)
    Arrival.objects.update_or_create(
        repository=repository, blob=blob, defaults={"by": by, "at": now}
    )
    return blob

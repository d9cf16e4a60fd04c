"""The repair list: a line is opened by reading again, and closed when the bytes are whole.

Read again is everything in turn (`scrub`), and soon what a reader found damaged (`suspects`).

Damaged bytes are put aside and never given out. Whoever asks for the file is told that it is
damaged, which a wrong model trained on wrong data would not tell. They are mended by the same
bytes: sent again by whoever has them, or found in a second place.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Max
from django.utils import timezone

from fabriek.kernel.errors import Refused
from fabriek.store import claims, queries, suspects
from fabriek.store.base import Alone, Harm, Kept, Looked, Pace
from fabriek.store.files import FolderStore
from fabriek.store.models import Blob, Damage, File

SINGLE = "single"

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """A dataset or model that names damaged bytes: in how many revisions, and the newest."""

    code: str
    kind: str
    revisions: int
    newest: int


def is_whole(blob: Blob, *, pace: Pace) -> bool:
    """Read bytes again; what is damaged goes on the list and aside.

    The row then holds the BLAKE3 that was found, with `is_blake3_new` where it had none.
    """
    found = queries.the_store().look(blob, pace=pace)
    if found.harm is None:
        blob.is_blake3_new = not blob.blake3
        blob.blake3 = found.blake3
        return True
    return _turned_out_well(blob, pace=pace)


def look_into_suspected(*, pace: Pace) -> int:
    """Read what readers found damaged; return how many are, or were until just now."""
    found = 0
    for organisation_id, sha256 in suspects.everywhere(settings.STORE_HOME):
        rows = Blob.objects.filter(organisation_id=organisation_id, sha256=sha256)
        blob = rows.first()
        if blob is not None and is_whole(blob, pace=pace):
            close_well([blob])
        elif blob is not None:
            found += 1
        suspects.settle(settings.STORE_HOME, organisation_id, sha256)
    return found


def _turned_out_well(blob: Blob, *, pace: Pace) -> bool:
    """Look once more before anything is condemned: by the row as it is now, and by SHA-256.

    Who sends the same bytes meanwhile makes us look anew.
    """
    while True:
        now = Blob.objects.filter(pk=blob.pk).first()
        if now is None:
            return True  # nobody needs it any more
        now.blake3 = ""
        found = queries.the_store().look(now, pace=pace)
        if found.harm is None:
            blob.blake3, blob.is_blake3_new = found.blake3, True
            return True
        if _list(now, found, found.harm):
            return _mended(now)


def _list(blob: Blob, found: Looked, harm: Harm) -> bool:
    """Put it aside and open a line; False when it was sent again since we looked.

    Whoever sends bytes notes that in their row, after they are in the store. So under the
    lock of the row, either we see that note, or it is written after our line, and closes it.
    """
    aside = queries.the_store().quarantine(blob, found)
    place = blob.pack_id or SINGLE
    with transaction.atomic():
        row = Blob.objects.select_for_update().filter(pk=blob.pk).first()
        if row is None or row.stored_at != blob.stored_at or row.pack_id != blob.pack_id:
            return False
        log.error("%s (%s bytes) is %s in the store.", blob.sha256, blob.size_bytes, harm)
        Blob.objects.filter(pk=blob.pk).update(verified_at=timezone.now())
        line, is_new = Damage.objects.get_or_create(
            blob=blob,
            repaired_at=None,
            defaults={
                "sha256": blob.sha256,
                "size_bytes": blob.size_bytes,
                "what": str(harm),
                "place": place,
                "aside": aside,
            },
        )
        if not is_new and aside:
            Damage.objects.filter(pk=line.pk).update(aside=aside)
    return True


# --- mending -------------------------------------------------------------------------------
def close(blobs: Iterable[Blob], *, how: Damage.How) -> int:
    """Close their lines, and forget what readers said of them."""
    closed = list(blobs)
    for blob in closed:
        suspects.settle(settings.STORE_HOME, blob.organisation_id, blob.sha256)
    rows = Damage.objects.filter(blob__in=closed, repaired_at=None)
    return rows.update(repaired_at=timezone.now(), how=how)


def close_well(blobs: list[Blob]) -> None:
    """Close the lines of what turned out whole; there are hardly ever any."""
    if Damage.objects.filter(repaired_at=None).exists():
        for first in range(0, len(blobs), queries.AT_ONCE):
            close(blobs[first : first + queries.AT_ONCE], how=Damage.How.WELL)


def mend_from_copy() -> int:
    """Bring back what a second place holds whole; return how many."""
    if not _places():
        return 0
    lines = Damage.objects.filter(repaired_at=None).exclude(blob=None)
    return sum(_mended(line.blob) for line in lines.select_related("blob") if line.blob)


def _mended(blob: Blob) -> bool:
    alone = Alone(
        organisation_id=blob.organisation_id,
        sha256=blob.sha256,
        blake3=blob.blake3,
        size_bytes=blob.size_bytes,
    )
    for there in _places():
        for kept in (blob, alone):
            if there.has(kept) and _brought_back(there, kept, blob):
                return True
    return False


def _places() -> list[FolderStore]:
    """Where else the bytes may be whole: FABRIEK_STORE_COPY, and what lies near a bucket."""
    folders = [settings.STORE_COPY, settings.STORE_HOME if settings.STORE_BUCKET else None]
    return [FolderStore(folder) for folder in folders if folder]


def _brought_back(there: FolderStore, kept: Kept, blob: Blob) -> bool:
    """Copy bytes in, comparing them on the way; never believed before that."""
    try:
        with there.open(kept) as content:
            received = queries.the_store().receive(
                blob.organisation_id,
                content,
                limit_bytes=blob.size_bytes,
                expected_sha256=blob.sha256,
            )
    except Refused:
        log.warning("%s is damaged in the second place too.", blob.sha256)
        return False
    with transaction.atomic():
        claims.keep([blob.pk])
        Blob.objects.filter(pk=blob.pk).update(
            pack=None, pack_offset=0, blake3=received.blake3, verified_at=None
        )
        close([blob], how=Damage.How.COPY)
    return True


# --- who is hit ----------------------------------------------------------------------------
def hits(lines: Iterable[Damage]) -> dict[int, list[Hit]]:
    """Tell by blob which datasets and models name it, by code alone, in one query."""
    files = File.objects.filter(blob__in=[line.blob_id for line in lines if line.blob_id])
    rows = files.values_list(
        "blob_id", "revision__repository__code", "revision__repository__kind"
    )
    counted = rows.annotate(Count("revision", distinct=True), Max("revision__number")).order_by(
        "revision__repository__code"
    )
    found: dict[int, list[Hit]] = {}
    for blob_id, code, kind, revisions, newest in counted:
        hit = Hit(code=code or "", kind=kind, revisions=revisions, newest=newest)
        found.setdefault(blob_id, []).append(hit)
    return found

"""The repair list: a line is opened by reading again, and closed when the bytes are whole.

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
from fabriek.store import queries
from fabriek.store.base import Harm, Kept, Looked, Pace
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


def _turned_out_well(blob: Blob, *, pace: Pace) -> bool:
    """Look once more before anything is condemned: by the row as it is now, and by SHA-256."""
    now = Blob.objects.filter(pk=blob.pk).first()
    if now is None:
        return True  # nobody needs it any more
    now.blake3 = ""
    found = queries.the_store().look(now, pace=pace)
    if found.harm is None:
        blob.blake3, blob.is_blake3_new = found.blake3, True
        return True
    _list(now, found, found.harm)
    return _mended(now)


def _list(blob: Blob, found: Looked, harm: Harm) -> None:
    aside = queries.the_store().quarantine(blob, found)
    log.error("%s (%s bytes) is %s in the store.", blob.sha256, blob.size_bytes, harm)
    place = blob.pack_id or SINGLE
    with transaction.atomic():
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


# --- mending -------------------------------------------------------------------------------
def close(blobs: Iterable[Blob], *, how: Damage.How) -> int:
    rows = Damage.objects.filter(blob__in=blobs, repaired_at=None)
    return rows.update(repaired_at=timezone.now(), how=how)


def close_well(blobs: list[Blob]) -> None:
    """Close the lines of what turned out whole; there are hardly ever any."""
    if Damage.objects.filter(repaired_at=None).exists():
        for first in range(0, len(blobs), queries.AT_ONCE):
            close(blobs[first : first + queries.AT_ONCE], how=Damage.How.WELL)


def mend_from_copy() -> int:
    """Bring back what the second place (FABRIEK_STORE_COPY) holds whole; return how many."""
    if not settings.STORE_COPY:
        return 0
    lines = Damage.objects.filter(repaired_at=None).exclude(blob=None)
    return sum(_mended(line.blob) for line in lines.select_related("blob") if line.blob)


def _mended(blob: Blob) -> bool:
    if not settings.STORE_COPY:
        return False
    there = FolderStore(settings.STORE_COPY)
    for kept in (blob, _Single(blob)):
        if there.has(kept) and _brought_back(there, kept, blob):
            return True
    return False


class _Single:
    """Bytes as a file of their own, also where ours lie in a pack."""

    def __init__(self, blob: Blob) -> None:
        self.organisation_id, self.sha256 = blob.organisation_id, blob.sha256
        self.blake3, self.size_bytes = blob.blake3, blob.size_bytes
        self.pack_id: str | None = None
        self.pack_offset = 0


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

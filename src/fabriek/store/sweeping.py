"""Remove bytes that nothing names, and give back the room they took in packs."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from fabriek.store import base, damages, queries
from fabriek.store.models import Arrival, Blob, Damage, File, Pack

# Bytes that no revision names are kept this long: an upload may take a working day, and a
# push that broke off is taken up again the next morning.
KEPT = timedelta(days=1)
FEW_UNKNOWN = 100
SUNDAY = 6  # when every name in the store is looked up

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Swept:
    blobs: int
    size_bytes: int
    temporary: int
    packs: int = 0


def sweep(now: datetime) -> Swept:
    """Remove bytes that no revision names and nobody sent for a day, and broken-off uploads.

    The row goes first, under a lock that a commit waits for; then the file, unless somebody
    sent it again meanwhile (see `Singles.is_here`). A crash in between leaves a file
    that no row names: it costs room until the next Sunday, and never data.
    """
    before = now - KEPT
    store = queries.the_store()
    Arrival.objects.filter(at__lt=before).delete()
    count = size_bytes = 0
    for gone in _forgotten(before):
        count += len(gone)
        size_bytes += sum(blob.size_bytes for blob in gone)
        for blob in gone:
            store.discard(blob, untouched_since=before.timestamp())
    if now.weekday() == SUNDAY:
        _drop_unknown_singles(before.timestamp())
    return Swept(
        blobs=count,
        size_bytes=size_bytes,
        packs=sweep_packs(before),
        temporary=store.sweep_temporary(before=before.timestamp()),
    )


def _unnamed(before: datetime) -> QuerySet[Blob]:
    named = File.objects.filter(blob=OuterRef("pk"))
    arrived = Arrival.objects.filter(blob=OuterRef("pk"))
    with_its_pack = Arrival.objects.filter(pack=OuterRef("pack_id"))
    return Blob.objects.filter(
        ~Exists(named), ~Exists(arrived), ~Exists(with_its_pack), stored_at__lt=before
    )


def _forgotten(before: datetime) -> Iterator[list[Blob]]:
    """Remove rows a few hundred at a time, and give those that are gone."""
    last = 0
    while True:
        some = list(_unnamed(before).filter(pk__gt=last).order_by("pk")[: queries.AT_ONCE])
        if not some:
            return
        last = some[-1].pk
        yield _forget(some, before=before)


@transaction.atomic
def _forget(blobs: list[Blob], *, before: datetime) -> list[Blob]:
    """Remove rows unless they were named since: the second look comes after the lock.

    What somebody holds is being named or sent again, so it is left without waiting for them.
    """
    rows = Blob.objects.select_for_update(of=("self",), skip_locked=True)
    keys = list(rows.filter(pk__in=[blob.pk for blob in blobs]).values_list("pk", flat=True))
    still = set(_unnamed(before).filter(pk__in=keys).values_list("pk", flat=True))
    gone = [blob for blob in blobs if blob.pk in still]
    damages.close(gone, how=Damage.How.FORGOTTEN)
    Blob.objects.filter(pk__in=still).delete()
    return gone


def _drop_unknown_singles(before: float) -> int:
    """Remove files that no row says are of their own: somebody was killed before or after it.

    Who sends the same bytes at this moment renews the time of the file first, which is looked
    at once more under the lock. Where most have no row, this is another factory's database.
    """
    store, known_count = queries.the_store(), 0
    unknown: set[tuple[int, str]] = set()
    names = store.singles(before=before)
    while some := list(islice(names, queries.AT_ONCE)):
        rows = Blob.objects.filter(pack=None, sha256__in=[sha256 for _owner, sha256 in some])
        known = set(rows.values_list("organisation_id", "sha256"))
        known_count += len(known)
        unknown |= set(some) - known
    if len(unknown) > max(known_count, FEW_UNKNOWN):
        log.error("Most files of the store have no row, so none was removed: wrong database?")
        return 0
    ours = (
        base.Alone(organisation_id=owner, sha256=sha256, blake3="", size_bytes=0)
        for owner, sha256 in unknown
    )
    return sum(store.discard(kept, untouched_since=before) for kept in ours)


# --- packs ---------------------------------------------------------------------------------
def sweep_packs(before: datetime) -> int:
    """Remove packs that hold nothing any more, and give back the room of what went from others.

    Return how many were removed. Safe to be killed anywhere, and for two at once.
    """
    store = queries.the_store()
    gone = _drop_unknown(before.timestamp())
    for pack in _wasteful():
        if pack.live_files == 0 or pack.retired_at:
            gone += _drop(pack, before=before)
            continue
        # A part that nothing names is never named again: this list can only be too long.
        named = _named_parts(pack)
        if store.release(pack.organisation_id, pack.key, named):
            holes = pack.size_bytes - sum(size_bytes for _offset, size_bytes in named)
            Pack.objects.filter(pk=pack.key).update(hole_bytes=holes)
        if pack.live_bytes * 2 < pack.size_bytes:
            _rewrite(pack)
    return gone


@dataclass(frozen=True, kw_only=True, slots=True)
class _Weighed:
    """A pack with what of it is still in use."""

    key: str
    organisation_id: int
    size_bytes: int
    retired_at: datetime | None
    live_files: int
    live_bytes: int


def _drop_unknown(before: float) -> int:
    """Remove packs that no row tells of: their writer was killed before it could.

    Where most have no row, this is another factory's database: see `_drop_unknown_singles`.
    """
    store = queries.the_store()
    found = list(store.pack_keys(before=before))
    known = set(Pack.objects.values_list("pk", flat=True))
    unknown = [(owner, key) for owner, key in found if key not in known]
    if len(unknown) > max(len(found) - len(unknown), FEW_UNKNOWN):
        log.error("Most packs of the store have no row, so none was removed: wrong database?")
        return 0
    for owner, key in unknown:
        store.drop_pack(owner, key)
    return len(unknown)


def _wasteful() -> list[_Weighed]:
    weighed = Pack.objects.annotate(
        live_files=Count("blobs"), live_bytes=Coalesce(Sum("blobs__size_bytes"), 0)
    )
    has_new_holes = Q(live_bytes__lt=F("size_bytes") - F("hole_bytes"))
    rows = weighed.filter(has_new_holes | Q(live_files=0)).order_by("pk")
    return [_Weighed(**row) for row in rows.values(*_Weighed.__slots__)]


def _named_parts(pack: _Weighed) -> list[tuple[int, int]]:
    return list(Blob.objects.filter(pack_id=pack.key).values_list("pack_offset", "size_bytes"))


def _drop(pack: _Weighed, *, before: datetime) -> int:
    if pack.retired_at and pack.retired_at >= before:
        return 0
    with transaction.atomic():
        held = Pack.objects.select_for_update().filter(pk=pack.key).first()
        if held is None or Blob.objects.filter(pack_id=pack.key).exists():
            return 0  # of two at once the other removed it, or something lies in it again
        Pack.objects.filter(pk=pack.key).delete()
    queries.the_store().drop_pack(pack.organisation_id, pack.key)
    return 1


def _rewrite(pack: _Weighed) -> None:
    """Put what is left of a pack into a new one; the old one stays a day for its readers."""
    store = queries.the_store()
    blobs = list(Blob.objects.filter(pack_id=pack.key).order_by("pack_offset"))
    pieces, moved = _read_whole(store, blobs)
    key = store.keep_pack(pack.organisation_id, pieces)
    if key:
        _note_moved(pack, key, moved)


def _read_whole(
    store: base.Store, blobs: list[Blob]
) -> tuple[Iterator[bytes], list[tuple[Blob, int]]]:
    """Give what is whole, and note where each begins; what is damaged stays for the scrub."""
    moved: list[tuple[Blob, int]] = []

    def pieces() -> Iterator[bytes]:
        offset = 0
        for blob in blobs:
            try:
                with store.open(blob) as file:
                    content = file.read()
            except base.Damaged:
                log.warning("%s is damaged in its pack, and stays there.", blob)
                continue
            moved.append((blob, offset))
            offset += len(content)
            yield content

    return pieces(), moved


@transaction.atomic
def _note_moved(pack: _Weighed, key: str, moved: list[tuple[Blob, int]]) -> None:
    size_bytes = sum(blob.size_bytes for blob, _offset in moved)
    Pack.objects.create(key=key, organisation_id=pack.organisation_id, size_bytes=size_bytes)
    for arrival in Arrival.objects.filter(pack_id=pack.key):
        arrival.pk, arrival.pack_id = None, key
        arrival.save(force_insert=True)
    new = {blob.pk: offset for blob, offset in moved}
    # Some may have moved to a file of their own meanwhile: those stay where they are.
    rows = Blob.objects.select_for_update(no_key=True).filter(pk__in=new, pack_id=pack.key)
    still = list(rows.order_by("sha256"))
    for blob in still:
        blob.pack_id, blob.pack_offset = key, new[blob.pk]
    Blob.objects.bulk_update(still, ["pack", "pack_offset"], batch_size=queries.AT_ONCE)
    Pack.objects.filter(pk=pack.key).update(retired_at=timezone.now())

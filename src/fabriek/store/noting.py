"""Write down thousands of small files in a few statements: a pack, rows, what arrived."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.utils import timezone

from fabriek.people.models import Person
from fabriek.store import damages, queries
from fabriek.store.models import Arrival, Blob, Damage, Pack, Repository

ARRIVALS, BLOBS = Arrival._meta.db_table, Blob._meta.db_table
# One value holds all rows: as values of their own, the driver takes longer than the database.
KEEP = (
    f"INSERT INTO {BLOBS} (organisation_id, pack_id, stored_at,"  # noqa: S608
    " sha256, blake3, size_bytes, pack_offset)"
    " SELECT %s, %s, %s, one->>0, one->>1, (one->>2)::bigint, (one->>3)::bigint"
    " FROM json_array_elements(%s::json) AS one"
    " ON CONFLICT (organisation_id, sha256) DO UPDATE SET stored_at = excluded.stored_at"
    " RETURNING id, sha256, pack_id, pack_offset"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Filled:
    """A pack that is on the disk (`key` empty: none was needed), and what came in meanwhile.

    By SHA-256: `fresh` lies in this pack, `known` was here whole, `ill` was here damaged and is
    among the fresh.
    """

    repository: Repository
    by: Person | None
    key: str
    size_bytes: int
    fresh: Mapping[str, Blob]
    known: Collection[str]
    ill: Collection[str]


@transaction.atomic
def note(filled: Filled) -> dict[str, Blob]:
    """Write it down; return the rows by SHA-256, locked, so that no sweep takes one meanwhile.

    Of bytes that somebody else noted a moment ago theirs is kept, and our part of the pack is
    given back by the sweep. Bytes that were damaged here are whole again in our pack.
    """
    owner = filled.repository.organisation_id
    if filled.key:
        Pack.objects.create(key=filled.key, organisation_id=owner, size_bytes=filled.size_bytes)
    for blob in filled.fresh.values():
        blob.pack_id = filled.key or None
    rows = _kept(filled) + _sent_again(owner, filled.known)
    healed = [_moved(row, filled.fresh[row.sha256]) for row in rows if row.sha256 in filled.ill]
    if healed:
        Blob.objects.bulk_update(healed, ["pack", "pack_offset", "blake3", "verified_at"])
        damages.close(healed, how=Damage.How.SENT)
    _arrived(filled, [blob.pk for blob in rows])
    return {blob.sha256: blob for blob in rows}


def _kept(filled: Filled) -> list[Blob]:
    """Insert what is new; in one order, so that two at once never wait for each other."""
    owner = filled.repository.organisation_id
    new = [filled.fresh[sha256] for sha256 in sorted(filled.fresh)]
    if not new:
        return []
    if connection.vendor != "postgresql":
        Blob.objects.bulk_create(new, ignore_conflicts=True)
        return _sent_again(owner, filled.fresh)
    rows = [(blob.sha256, blob.blake3, blob.size_bytes, blob.pack_offset) for blob in new]
    with connection.cursor() as cursor:
        cursor.execute(KEEP, [owner, filled.key or None, timezone.now(), json.dumps(rows)])
        return _as_they_are(cursor.fetchall(), filled)


def _as_they_are(
    told: Sequence[tuple[int, str, str | None, int]], filled: Filled
) -> list[Blob]:
    """Give our rows their keys; those that somebody else made are read."""
    ours: list[Blob] = []
    theirs: list[str] = []
    for key, sha256, *place in told:
        blob = filled.fresh[sha256]
        if place == [blob.pack_id, blob.pack_offset]:
            blob.pk = key
            ours.append(blob)
        else:
            theirs.append(sha256)
    return ours + _sent_again(filled.repository.organisation_id, theirs)


def _sent_again(owner: int, sha256s: Collection[str]) -> list[Blob]:
    rows: list[Blob] = []
    for some in queries.batches(sorted(sha256s)):
        found = Blob.objects.filter(organisation_id=owner, sha256__in=some)
        rows += found.select_for_update().order_by("sha256")
        found.update(stored_at=timezone.now())
    return rows


def _moved(row: Blob, fresh: Blob) -> Blob:
    row.pack_id, row.pack_offset = fresh.pack_id, fresh.pack_offset
    row.blake3, row.verified_at = fresh.blake3, None
    return row


def _arrived(filled: Filled, blobs: Sequence[int]) -> None:
    """Note what arrived here, without an object or a value for each: our keys are numbers."""
    by = filled.by.pk if filled.by else None
    at = connection.ops.adapt_datetimefield_value(timezone.now())
    for first in range(0, len(blobs), queries.AT_ONCE):
        some = ", ".join(str(int(key)) for key in blobs[first : first + queries.AT_ONCE])
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {ARRIVALS} (repository_id, blob_id, by_id, at)"  # noqa: S608
                f" SELECT %s, id, %s, %s FROM {BLOBS} WHERE id IN ({some})"
                " ON CONFLICT (repository_id, blob_id)"
                " DO UPDATE SET by_id = excluded.by_id, at = excluded.at",
                [filled.repository.pk, by, at],
            )

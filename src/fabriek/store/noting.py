"""Write down thousands of small files in a few statements: a pack, rows, what arrived."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from fabriek.people.models import Person
from fabriek.store import claims, damages, held, queries, turns
from fabriek.store.among import among
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
COLUMNS = ("pk", "organisation_id", "sha256", "blake3", "size_bytes", "pack_id", "pack_offset")


class Fresh(NamedTuple):
    """Bytes that lie in a new pack, from `offset` on, and have no row yet."""

    sha256: str
    blake3: str
    size_bytes: int
    offset: int


class Stored(NamedTuple):
    """Bytes with a row, as values: an object of each takes as long as hashing it."""

    pk: int
    organisation_id: int
    sha256: str
    blake3: str
    size_bytes: int
    pack_id: str | None
    pack_offset: int


def stored(blob: Blob) -> Stored:
    return Stored(*(getattr(blob, name) for name in COLUMNS))


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
    fresh: Mapping[str, Fresh]
    known: Collection[str]
    ill: Collection[str]


@transaction.atomic
def note(filled: Filled) -> dict[str, Stored]:
    """Write it down; return the rows by SHA-256, locked, so that no sweep takes one meanwhile.

    Of bytes that somebody else noted a moment ago theirs is kept, and our part of the pack is
    given back by the sweep. Bytes that were damaged here are whole again in our pack.

    Raises: RepositoryGone, where it was removed meanwhile.
    """
    owner = filled.repository.organisation_id
    turns.take(owner)
    held.hold(filled.repository)
    if filled.key:
        Pack.objects.create(key=filled.key, organisation_id=owner, size_bytes=filled.size_bytes)
    rows = _kept(filled) + _sent_again(owner, filled.known)
    if filled.ill:
        rows = _healed(rows, filled)
    _arrived(filled, [row.pk for row in rows if not _is_in(row, filled)])
    return {row.sha256: row for row in rows}


def _kept(filled: Filled) -> list[Stored]:
    """Insert what is new; in one order, so that two at once never wait for each other."""
    new = [filled.fresh[sha256] for sha256 in sorted(filled.fresh)]
    if not new:
        return []
    owner = filled.repository.organisation_id
    if connection.vendor != "postgresql":
        Blob.objects.bulk_create((_row(one, filled) for one in new), ignore_conflicts=True)
        return _sent_again(owner, filled.fresh)
    with connection.cursor() as cursor:
        cursor.execute(KEEP, [owner, filled.key or None, timezone.now(), json.dumps(new)])
        return _as_they_are(cursor.fetchall(), filled)


def _row(one: Fresh, filled: Filled) -> Blob:
    return Blob(
        organisation_id=filled.repository.organisation_id,
        sha256=one.sha256,
        blake3=one.blake3,
        size_bytes=one.size_bytes,
        pack_id=filled.key or None,
        pack_offset=one.offset,
    )


def _as_they_are(
    told: Sequence[tuple[int, str, str | None, int]], filled: Filled
) -> list[Stored]:
    """Give our rows their keys; those that somebody else made are read."""
    owner = filled.repository.organisation_id
    ours: list[Stored] = []
    theirs: list[str] = []
    for key, sha256, pack, offset in told:
        one = filled.fresh[sha256]
        if pack == filled.key and offset == one.offset:
            ours.append(Stored(key, owner, sha256, one.blake3, one.size_bytes, pack, offset))
        else:
            theirs.append(sha256)
    return ours + _sent_again(owner, theirs)


def _sent_again(owner: int, sha256s: Collection[str]) -> list[Stored]:
    rows: list[Stored] = []
    for some in queries.batches(sorted(sha256s), queries.MANY):
        found = Blob.objects.filter(among(some), organisation_id=owner)
        locked = found.select_for_update(no_key=True).order_by("sha256")
        rows += (Stored(*row) for row in locked.values_list(*COLUMNS))
        found.update(stored_at=timezone.now())
    return rows


def _healed(rows: list[Stored], filled: Filled) -> list[Stored]:
    """Let the rows of damaged bytes say where these lie whole: in our pack."""
    ill = {row.pk: filled.fresh[row.sha256] for row in rows if row.sha256 in filled.ill}
    claims.keep(ill)
    healed = list(Blob.objects.filter(pk__in=ill))
    for blob in healed:
        whole = ill[blob.pk]
        blob.pack_id, blob.pack_offset = filled.key or None, whole.offset
        blob.blake3, blob.verified_at = whole.blake3, None
    Blob.objects.bulk_update(healed, ["pack", "pack_offset", "blake3", "verified_at"])
    damages.close(healed, how=Damage.How.SENT)
    return [
        row._replace(pack_id=filled.key or None, pack_offset=ill[row.pk].offset)
        if row.pk in ill
        else row
        for row in rows
    ]


def _is_in(row: Stored, filled: Filled) -> bool:
    return bool(filled.key) and row.pack_id == filled.key


def _arrived(filled: Filled, elsewhere: Sequence[int]) -> None:
    """Note what arrived here: the pack as a whole, and each of what lies `elsewhere`."""
    if filled.key:
        Arrival.objects.create(repository=filled.repository, pack_id=filled.key, by=filled.by)
    by = filled.by.pk if filled.by else None
    at = connection.ops.adapt_datetimefield_value(timezone.now())
    for first in range(0, len(elsewhere), queries.AT_ONCE):
        # Without an object or a value for each: our keys are numbers.
        some = ", ".join(str(int(key)) for key in elsewhere[first : first + queries.AT_ONCE])
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {ARRIVALS} (repository_id, blob_id, by_id, at)"  # noqa: S608
                f" SELECT %s, id, %s, %s FROM {BLOBS} WHERE id IN ({some})"
                " ON CONFLICT (repository_id, blob_id)"
                " DO UPDATE SET by_id = excluded.by_id, at = excluded.at",
                [filled.repository.pk, by, at],
            )

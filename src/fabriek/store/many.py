"""Take in many files in one stream: small ones go behind each other into packs.

Making a file costs a file system more than its bytes do, and a flush for each costs most: a
pack of a thousand small files is flushed once, and noted in one transaction.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from fabriek.kernel.errors import Invalid
from fabriek.people.models import Person
from fabriek.store import base, hashing, noting, paths, queries, singles
from fabriek.store.arriving import store_bytes
from fabriek.store.incoming import CHUNK_BYTES, Source, chunks_of
from fabriek.store.models import Blob, Damage, Repository

# Above this the bytes cost more than the file: a choice, see docs/adr/0023.
SMALL_BYTES = 2**18
PACK_BYTES = 64 * 2**20
BATCH_BYTES = 8 * 2**20  # held in memory until it is known which of them are new


class Entry(NamedTuple):
    """One file of a stream. `source` is read once, before the next entry is asked for."""

    path: str
    size_bytes: int
    source: Source
    expected_sha256: str | None = None


def store_many(
    repository: Repository, entries: Iterable[Entry], *, by: Person | None
) -> dict[str, Blob]:
    """Take in a stream of files for the next revision; return them by their clean paths.

    `entries` is read once and in order; memory stays bounded however many there are. What came
    in before something broke stays for a day, as with `store_bytes`, so that a push that is
    begun again need only send what `queries.missing` names.

    Raises:
        Invalid: a path breaks a rule or is named twice, or the bytes are more, fewer or others
            than was said of them.
        TooLarge, StorageFull: see `base.Store.receive`.
    """
    stream = _Stream(repository=repository, by=by, entries=iter(entries))
    while not stream.is_at_end:
        stream.take_pack()
    return {path: stream.blobs[sha256] for path, sha256 in stream.named.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Small:
    sha256: str
    blake3: str
    content: bytes


@dataclass(kw_only=True, slots=True)
class _Stream:
    """How far the taking in has come. What is not yet in `blobs` waits in `fresh`."""

    repository: Repository
    by: Person | None
    entries: Iterator[Entry]
    is_at_end: bool = False
    named: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, Blob] = field(default_factory=dict)
    fresh: dict[str, Blob] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    ill: set[str] = field(default_factory=set)
    pack_bytes: int = 0

    def take_pack(self) -> None:
        """Fill one pack, and write down what is in it."""
        self.fresh, self.known, self.ill, self.pack_bytes = {}, set(), set(), 0
        organisation_id = self.repository.organisation_id
        key = queries.the_store().keep_pack(organisation_id, self._pieces())
        if self.fresh or self.known:
            self.blobs |= noting.note(
                noting.Filled(
                    repository=self.repository,
                    by=self.by,
                    key=key,
                    size_bytes=self.pack_bytes,
                    fresh=self.fresh,
                    known=self.known,
                    ill=self.ill,
                )
            )

    def _pieces(self) -> Iterator[bytes]:
        while not self.is_at_end and self.pack_bytes + BATCH_BYTES <= PACK_BYTES:
            batch = self._batch()
            contents = {small.sha256: small.content for small in batch}
            here, ill = _still_here(self.repository, contents)
            self.known |= here
            self.ill |= ill
            for small in batch:
                if small.sha256 in here or small.sha256 in self.fresh:
                    continue
                self.fresh[small.sha256] = Blob(
                    organisation_id=self.repository.organisation_id,
                    sha256=small.sha256,
                    blake3=small.blake3,
                    size_bytes=len(small.content),
                    pack_offset=self.pack_bytes,
                )
                self.pack_bytes += len(small.content)
                yield small.content

    def _batch(self) -> list[_Small]:
        """Read the next small files; larger ones between them become files of their own."""
        batch: list[_Small] = []
        size_bytes = 0
        while size_bytes + SMALL_BYTES <= BATCH_BYTES and len(batch) < queries.AT_ONCE:
            entry = next(self.entries, None)
            if entry is None:
                self.is_at_end = True
                break
            path = self._clean(entry)
            if not 0 < entry.size_bytes <= SMALL_BYTES:
                self._take_alone(path, entry)
                continue
            small = _read(path, entry)
            self.named[path] = small.sha256
            batch.append(small)
            size_bytes += entry.size_bytes
        return batch

    def _clean(self, entry: Entry) -> str:
        path = paths.clean(entry.path)
        if path in self.named:
            raise paths.named_twice(path)
        if entry.expected_sha256 is not None:
            singles.checked(entry.expected_sha256)
        return path

    def _take_alone(self, path: str, entry: Entry) -> None:
        """Take in a large file, or one of no bytes, of which there is but one."""
        said = exactly(entry.source, entry.size_bytes, path)
        expected = entry.expected_sha256
        blob = store_bytes(self.repository, said, by=self.by, expected_sha256=expected)
        self.named[path] = blob.sha256
        self.blobs[blob.sha256] = blob


def exactly(source: Source, size_bytes: int, path: str) -> Iterator[bytes]:
    """Give what comes, and refuse when it is not as much as was said."""
    left = size_bytes
    for chunk in _at_most(source, max(size_bytes, 0)):
        left -= len(chunk)
        if left < 0:
            break
        yield chunk
    if left:
        raise Invalid(
            _(
                "“%(path)s” is not as long as was announced, so nothing of it was kept. "
                "Send it again."
            )
            % {"path": paths.shortened(path)},
            code="other_size",
        )


def _at_most(source: Source, size_bytes: int) -> Iterator[bytes]:
    """Read no further than the file goes: behind it another may begin in the same stream."""
    read = getattr(source, "read", None)
    if read is None:
        yield from chunks_of(source)
        return
    left = size_bytes
    while left and (chunk := read(min(left, CHUNK_BYTES))):
        left -= len(chunk)
        yield chunk


def _read(path: str, entry: Entry) -> _Small:
    content = b"".join(exactly(entry.source, entry.size_bytes, path))
    sha256, fast = hashing.both(content)
    if entry.expected_sha256 not in {None, sha256}:
        raise singles.other_bytes(sha256)
    return _Small(sha256=sha256, blake3=fast, content=content)


def _still_here(
    repository: Repository, contents: Mapping[str, bytes]
) -> tuple[set[str], set[str]]:
    """Find which bytes the organisation has whole, and which no longer; both known to it.

    Those are kept from the sweep for a day. Ours are read and compared: what came in is small
    and at hand, and would be thrown away for them.

    Marked and read in one transaction: a sweep that came before took the row with it, and one
    that comes after sees the mark.
    """
    owner = repository.organisation_id
    rows = Blob.objects.filter(organisation_id=owner, sha256__in=contents)
    if not rows.exists():
        return set(), set()
    store = queries.the_store()
    with transaction.atomic():
        locked = list(rows.select_for_update().order_by("sha256"))
        rows.update(stored_at=timezone.now())
        harmed = Damage.objects.filter(blob__in=locked, repaired_at=None)
        listed = set(harmed.values_list("blob_id", flat=True))
    here = {
        blob.sha256
        for blob in locked
        if blob.pk not in listed and _is(store, blob, contents[blob.sha256])
    }
    return here, {blob.sha256 for blob in locked} - here


def _is(store: base.Store, blob: Blob, content: bytes) -> bool:
    try:
        with store.open(blob) as ours:
            return ours.read() == content
    except base.Damaged:
        return False

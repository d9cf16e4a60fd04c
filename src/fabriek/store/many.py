"""Take in many files in one stream: small ones go behind each other into packs.

Making a file costs a file system more than its bytes do, and a flush for each costs most: a
pack of a thousand small files is flushed once, and noted in one transaction.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from django.utils.translation import gettext as _

from fabriek.kernel.errors import Invalid
from fabriek.people.models import Person
from fabriek.store import hashing, known, noting, paths, queries, singles
from fabriek.store.arriving import store_bytes
from fabriek.store.filling import Filling
from fabriek.store.incoming import CHUNK_BYTES, Source, chunks_of
from fabriek.store.models import Repository

# Above this the bytes cost more than the file: a choice, see docs/adr/0023.
SMALL_BYTES = 2**18
PACK_BYTES = 64 * 2**20
BATCH_BYTES = 8 * 2**20  # held in memory until it is known which of them are new
THREADS = 3  # one hashes, one writes, and one may still flush the pack before


class Entry(NamedTuple):
    """One file of a stream. `source` is read once, before the next entry is asked for."""

    path: str
    size_bytes: int
    source: Source
    expected_sha256: str | None = None


def store_many(
    repository: Repository, entries: Iterable[Entry], *, by: Person | None
) -> dict[str, noting.Stored]:
    """Take in a stream of files for the next revision; return them by their clean paths.

    `entries` is read once and in order; memory stays bounded however many there are. What came
    in before something broke stays for a day, as with `store_bytes`, so that a push that is
    begun again need only send what `queries.missing` names.

    Raises:
        Invalid: a path breaks a rule or is named twice, or the bytes are more, fewer or others
            than was said of them.
        TooLarge, StorageFull: see `base.Store.receive`.
    """
    with ThreadPoolExecutor(THREADS) as threads:
        stream = _Stream(repository=repository, by=by, entries=iter(entries), threads=threads)
        stream.take_all()
    return {path: stream.blobs[sha256] for path, sha256 in stream.named.items()}


class _Read(NamedTuple):
    path: str
    content: bytes
    expected_sha256: str | None


class _Small(NamedTuple):
    sha256: str
    blake3: str
    content: bytes


@dataclass(kw_only=True, slots=True)
class _Pack:
    """A pack that is being filled, or waits to be noted, and what came in meanwhile."""

    filling: Filling
    fresh: dict[str, noting.Fresh] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    ill: set[str] = field(default_factory=set)
    size_bytes: int = 0

    def add(self, new: Sequence[_Small]) -> None:
        for sha256, blake3, content in new:
            size_bytes = len(content)
            self.fresh[sha256] = noting.Fresh(sha256, blake3, size_bytes, self.size_bytes)
            self.size_bytes += size_bytes
        if new:
            self.filling.add([one.content for one in new])


@dataclass(kw_only=True, slots=True)
class _Stream:
    """How far the taking in has come.

    Four things go on at once: the next batch is read and what is new of the last one asked of
    the database here, while threads hash one batch and write another. A pack is noted when the
    next one is nearly full: by then it is on the disk.
    """

    repository: Repository
    by: Person | None
    entries: Iterator[Entry]
    threads: Executor
    is_at_end: bool = False
    named: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, noting.Stored] = field(default_factory=dict)
    last: _Pack | None = None

    def take_all(self) -> None:
        try:
            while not self.is_at_end:
                self._fill(
                    _Pack(filling=Filling(self.repository.organisation_id, self.threads))
                )
        finally:
            self._note_last()

    def _fill(self, pack: _Pack) -> None:
        """Fill a pack; what is in it waits to be written down."""
        try:
            for batch in self._batches():
                self._add(batch, pack)
            self._note_last()
        except BaseException:
            pack.filling.leave()
            raise
        pack.filling.end()
        self.last = pack

    def _note_last(self) -> None:
        pack, self.last = self.last, None
        if pack is None:
            return
        key = pack.filling.key()
        if pack.fresh or pack.known:
            self.blobs |= noting.note(
                noting.Filled(
                    repository=self.repository,
                    by=self.by,
                    key=key,
                    size_bytes=pack.size_bytes,
                    fresh=pack.fresh,
                    known=pack.known,
                    ill=pack.ill,
                )
            )

    def _batches(self) -> Iterator[list[_Small]]:
        """Give what fits in one pack, hashed; while one is looked at, the next is hashed."""
        room = PACK_BYTES
        waiting: list[tuple[list[_Read], Future[list[tuple[str, str]]]]] = []
        while not self.is_at_end and room >= BATCH_BYTES:
            batch = self._batch()
            room -= sum(len(each.content) for each in batch)
            waiting.append((batch, self.threads.submit(_digests, batch)))
            if len(waiting) > 1:
                ready, digests = waiting.pop(0)
                yield self._hashed(ready, digests.result())
        for ready, digests in waiting:
            yield self._hashed(ready, digests.result())

    def _batch(self) -> list[_Read]:
        """Read the next small files; larger ones between them become files of their own."""
        batch: list[_Read] = []
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
            self.named[path] = ""  # until it is hashed
            batch.append(_Read(path, _content(path, entry), entry.expected_sha256))
            size_bytes += entry.size_bytes
        return batch

    def _hashed(
        self, batch: Sequence[_Read], digests: Iterable[tuple[str, str]]
    ) -> list[_Small]:
        """Name what was hashed. Raises: Invalid, where it is not what was announced."""
        found: list[_Small] = []
        for read, (sha256, blake3) in zip(batch, digests, strict=True):
            if read.expected_sha256 not in {None, sha256}:
                raise singles.other_bytes(sha256)
            self.named[read.path] = sha256
            found.append(_Small(sha256, blake3, read.content))
        return found

    def _add(self, batch: Sequence[_Small], pack: _Pack) -> None:
        """Put into the pack what the organisation has not, or not whole."""
        new = {one.sha256: one for one in batch if not self._is_taken(one.sha256, pack)}
        here, ill = known.still_here(
            self.repository, {sha256: one.content for sha256, one in new.items()}
        )
        pack.known |= here
        pack.ill |= ill
        pack.add([one for sha256, one in new.items() if sha256 not in here])

    def _is_taken(self, sha256: str, pack: _Pack) -> bool:
        return sha256 in self.blobs or any(
            sha256 in each.fresh or sha256 in each.known for each in (pack, self.last) if each
        )

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
        self.blobs[blob.sha256] = noting.stored(blob)


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


def _content(path: str, entry: Entry) -> bytes:
    """Read a small file: most come whole, with one call. Raises: Invalid."""
    source, size_bytes = entry.source, entry.size_bytes
    read = getattr(source, "read", None)
    if read is not None:
        first: bytes = read(size_bytes)
        if len(first) == size_bytes:
            return first
        source = chain([first], _at_most(source, size_bytes - len(first)))
    return b"".join(exactly(source, size_bytes, path))


def _digests(batch: Iterable[_Read]) -> list[tuple[str, str]]:
    return [hashing.both(each.content) for each in batch]

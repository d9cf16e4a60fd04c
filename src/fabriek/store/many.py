"""Take in many files in one stream: small ones go behind each other into packs.

Making a file costs a file system more than its bytes do, and a flush for each costs most: a
pack of a thousand small files is flushed once, and noted in one transaction.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import NamedTuple

from django.utils.translation import gettext as _

from fabriek.kernel.errors import Refused
from fabriek.people.models import Person
from fabriek.store import announced, asking, hashing, known, noting, paths, queries, singles
from fabriek.store.arriving import store_bytes
from fabriek.store.filling import Filling
from fabriek.store.incoming import Source
from fabriek.store.models import Repository
from fabriek.store.sweeping import KEPT

log = logging.getLogger(__name__)

# Above this the bytes cost more than the file: a choice, see docs/adr/0023.
SMALL_BYTES = 2**18
PACK_BYTES = 64 * 2**20
BATCH_BYTES = 8 * 2**20  # held in memory until it is known which of them are new
THREADS = 2  # one writes, and one may still flush the pack before
# What waits is noted before a file of this size, or once it has waited so long: the sweep takes
# after a day what no row tells of.
LONG_BYTES = PACK_BYTES
WAITS_S = 3600.0
LATEST_S = KEPT.total_seconds() / 2
AHEAD = 5  # batches that were read and wait: while a pack is noted, reading goes on


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
        Refused: a few of them came in for so long that they may be swept.
        TooLarge, StorageFull: see `base.Store.receive`.
    """
    with ThreadPoolExecutor(THREADS) as threads, asking.beside() as database:
        taken = _Taken(repository=repository, by=by, threads=threads)
        _Stream(entries=iter(entries), database=database, taken=taken).read()
    return {path: taken.blobs[sha256] for path, sha256 in taken.named.items()}


class _Small(NamedTuple):
    path: str
    content: bytes
    sha256: str
    blake3: str


@dataclass(kw_only=True, slots=True)
class _Pack:
    """A pack that is being filled, or waits to be noted, and what came in meanwhile."""

    filling: Filling
    fresh: dict[str, noting.Fresh] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    ill: set[str] = field(default_factory=set)
    size_bytes: int = 0
    read_bytes: int = 0
    begun_at: float = field(default_factory=time.time)

    @property
    def is_full(self) -> bool:
        return self.read_bytes + BATCH_BYTES > PACK_BYTES

    def add(self, new: Sequence[_Small]) -> None:
        for one in new:
            size_bytes = len(one.content)
            self.fresh[one.sha256] = noting.Fresh(
                one.sha256, one.blake3, size_bytes, self.size_bytes
            )
            self.size_bytes += size_bytes
        if new:
            self.filling.add([one.content for one in new])


@dataclass(kw_only=True, slots=True)
class _Taken:
    """What was taken in, as the thread that asks the database knows it.

    A pack is noted when the next one is full: by then it is on the disk. Sooner where that may
    last.
    """

    repository: Repository
    by: Person | None
    threads: Executor
    named: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, noting.Stored] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    pack: _Pack | None = None
    last: _Pack | None = None

    def add(self, batch: Sequence[_Small]) -> None:
        """Put into a pack what the organisation has not, or not whole."""
        self._note_long_waiting()
        pack = self._open_pack()
        pack.read_bytes += sum(len(each.content) for each in batch)
        self.named |= {one.path: one.sha256 for one in batch}
        new = {one.sha256: one for one in batch if one.sha256 not in self.seen}
        self.seen.update(new)
        here, ill = known.still_here(
            self.repository, {sha256: one.content for sha256, one in new.items()}
        )
        pack.known |= here
        pack.ill |= ill
        pack.add([one for sha256, one in new.items() if sha256 not in here])
        if pack.is_full:
            self._close_pack()

    def add_alone(self, path: str, entry: Entry) -> None:
        """Take in a large file, or one of no bytes, of which there is but one."""
        if entry.size_bytes >= LONG_BYTES:
            self.end()  # it may come in for more than a day
        self._note_long_waiting()
        said = announced.exactly(entry.source, entry.size_bytes, path)
        expected = entry.expected_sha256
        blob = store_bytes(self.repository, said, by=self.by, expected_sha256=expected)
        self.named[path] = blob.sha256
        self.blobs[blob.sha256] = noting.stored(blob)
        self.seen.add(blob.sha256)

    def end(self) -> None:
        self._close_pack()
        self._note_last()

    def leave(self) -> None:
        """Let go of the pack that was not filled; what came before stays."""
        if self.pack:
            self.pack.filling.leave()
        self._note_last()

    def _note_long_waiting(self) -> None:
        oldest = self.last or self.pack
        if oldest and not 0 <= time.time() - oldest.begun_at < WAITS_S:
            self.end()

    def _open_pack(self) -> _Pack:
        if self.pack is None:
            self.pack = _Pack(filling=Filling(self.repository.organisation_id, self.threads))
        return self.pack

    def _close_pack(self) -> None:
        self._note_last()
        if self.pack:
            self.pack.filling.end()
        self.pack, self.last = None, self.pack

    def _note_last(self) -> None:
        pack, self.last = self.last, None
        if pack is None:
            return
        if time.time() - pack.begun_at > LATEST_S:
            raise _too_slow()  # the sweep may be taking it at this moment
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


@dataclass(kw_only=True, slots=True)
class _Stream:
    """How far the reading has come.

    Three things go on at once: the next batch is read and hashed here, while threads ask the
    database about the one before, and write another. Python lets one thread at a time into
    its own work, so to read in one and hash in another took longer than to do both here.
    """

    entries: Iterator[Entry]
    database: asking.Asking
    taken: _Taken
    is_at_end: bool = False
    paths: set[str] = field(default_factory=set)
    ahead: list[Future[None]] = field(default_factory=list)

    def read(self) -> None:
        try:
            while not self.is_at_end:
                self._hand_over(self._batch())
            self.ahead.append(self.database.ask(self.taken.end))
            self._wait(0)
        except BaseException:
            self._leave()
            raise

    def _hand_over(self, batch: list[_Small]) -> None:
        if batch:
            self.ahead.append(self.database.ask(self.taken.add, batch))
        self._wait(AHEAD)

    def _leave(self) -> None:
        """Let go of what was begun, in this thread: there may be no other any more.

        When Python ends it starts nothing new, and waits for all that was begun.
        """
        wait(self.ahead)
        try:
            self.taken.leave()
        except Exception:
            log.exception("What came before a push broke off could not be noted.")

    def _wait(self, most: int) -> None:
        """Let no more than these be ahead. Raises: what went wrong with one of them."""
        while len(self.ahead) > most:
            self.ahead.pop(0).result()

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
                self.ahead.append(self.database.ask(self.taken.add_alone, path, entry))
                self._wait(0)  # it reads what comes, as we do
                continue
            batch.append(_hashed(path, entry))
            size_bytes += entry.size_bytes
        return batch

    def _clean(self, entry: Entry) -> str:
        path = paths.clean(entry.path)
        if path in self.paths:
            raise paths.named_twice(path)
        if entry.expected_sha256 is not None:
            singles.checked(entry.expected_sha256)
        self.paths.add(path)
        return path


def _too_slow() -> Refused:
    return Refused(
        _(
            "These files came in so slowly that the first of them may be gone by now, so the "
            "last ones were not kept. Send them again; what was kept is not asked for."
        ),
        code="too_slow",
    )


def _hashed(path: str, entry: Entry) -> _Small:
    """Read and name a small file. Raises: Invalid, where it is not what was announced."""
    content = announced.whole(entry.source, entry.size_bytes, path)
    sha256, blake3 = hashing.both(content)
    if entry.expected_sha256 not in {None, sha256}:
        raise singles.other_bytes(sha256)
    return _Small(path, content, sha256, blake3)

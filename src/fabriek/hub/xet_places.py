"""Where the chunks of a xorb lie: in a file of its own, or in files that were made of them.

    <store home>/xet/<repository>/<name of the xorb>    its chunks behind each other, unpacked
    <store home>/xet/incoming/                          on the way in

A xorb keeps a file of its own until all of its chunks stand in files of the store, as they do
once the list of files came: no byte is then kept twice.
"""

import os
from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from fabriek.hub.xet_models import Piece, Xorb
from fabriek.hub.xet_shards import Segment
from fabriek.people.models import Person
from fabriek.store import incoming, queries
from fabriek.store.models import Blob, Repository

FOLDER = "xet"
READ_BYTES = 2 * 2**20
OPEN_AT_ONCE = 64
LENGTH_CODE = "I"  # unsigned, four bytes: how `Xorb.lengths` is kept


class Missing(Exception):
    """Chunks that are not here, or not any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """Some bytes of a blob, or of a xorb's own file."""

    source: "Blob | Path"
    offset: int
    size_bytes: int


@dataclass(slots=True)
class Known:
    """A xorb, where each of its chunks begins, and the pieces of it by their first chunk."""

    xorb: Xorb
    starts: list[int]
    pieces: list[Piece] = field(default_factory=list)

    def size_of(self, first: int, end: int) -> int:
        """Raise: Missing, when it has no such chunks."""
        if end > self.xorb.chunks:
            raise Missing(self.xorb.name)
        return self.starts[end] - self.starts[first]

    def add(self, piece: Piece) -> None:
        """Note it as far as it tells something new: what is noted does not overlap."""
        for first, end in list(self.uncovered(piece.first, piece.end)):
            offset = piece.offset + self.starts[first] - self.starts[piece.first]
            part = Piece(xorb=self.xorb, blob=piece.blob, first=first, end=end, offset=offset)
            insort(self.pieces, part, key=lambda one: one.first)

    def uncovered(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        """Name the chunks of a range that stand in no file of the store."""
        at = first
        for piece in self._over(first, end):
            if piece.first > at:
                yield at, piece.first
            at = max(at, piece.end)
        if at < end:
            yield at, end

    def ranges(self, first: int, end: int) -> Iterator[Range]:
        """Say where chunks can be read, in order. Raises: Missing."""
        if self.xorb.is_here:
            yield self._range(path_of(self.xorb), self.starts[first], first, end)
            return
        at = first
        for piece in self._over(first, end):
            if piece.first > at:
                break
            if piece.end > at:
                to = min(piece.end, end)
                offset = piece.offset + self.starts[at] - self.starts[piece.first]
                yield self._range(piece.blob, offset, at, to)
                at = to
        if at < end:
            raise Missing(self.xorb.name)

    def _range(self, source: Blob | Path, offset: int, first: int, end: int) -> Range:
        return Range(source=source, offset=offset, size_bytes=self.size_of(first, end))

    def _over(self, first: int, end: int) -> list[Piece]:
        """Give the pieces that reach into a range; found at once, as lists may be hostile."""
        begin = bisect_right(self.pieces, first, key=lambda piece: piece.end)
        after = bisect_left(self.pieces, end, key=lambda piece: piece.first)
        return self.pieces[begin:after]


def sent_to(repository: Repository, *, only_by: Person | None) -> "QuerySet[Xorb]":
    """Give what a list may name; see `agreements.blind.only_by`."""
    xorbs = Xorb.objects.filter(repository=repository)
    return xorbs.filter(by=only_by) if only_by else xorbs


class Shelf:
    """The xorbs of one repository that a list of files names, read from the database once."""

    def __init__(self, repository: Repository, *, only_by: Person | None = None) -> None:
        self.repository = repository
        self.only_by = only_by
        self.known: dict[str, Known] = {}

    def look_up(self, names: Iterable[str]) -> None:
        """Raise: Missing, when one was never sent to this very repository."""
        new = set(names) - self.known.keys()
        found: dict[int, Known] = {}
        for some in queries.batches(sorted(new)):
            sent = sent_to(self.repository, only_by=self.only_by)
            for xorb in sent.filter(name__in=some):
                known = Known(xorb, [0, *accumulate(_lengths(xorb))])
                self.known[xorb.name] = found[xorb.pk] = known
        if new - self.known.keys():
            raise Missing(min(new - self.known.keys()))
        for keys in _some(found):
            for piece in Piece.objects.filter(xorb__in=keys).select_related("blob"):
                found[piece.xorb_id].add(piece)

    def touch(self) -> None:
        """Note that these are in use, so that no sweep takes them meanwhile."""
        for keys in _some({known.xorb.pk: known for known in self.known.values()}):
            Xorb.objects.filter(pk__in=keys).update(used_at=timezone.now())

    @contextmanager
    def reading(self, segments: Iterable[Segment]) -> Iterator[Iterator[bytes]]:
        """Give the bytes of a file in its order. Reading raises: Missing."""
        with ExitStack() as opened:
            yield self._bytes(segments, opened)

    def _bytes(self, segments: Iterable[Segment], opened: ExitStack) -> Iterator[bytes]:
        files: dict[object, BinaryIO] = {}
        for segment in segments:
            if len(files) >= OPEN_AT_ONCE:
                opened.close()
                files.clear()
            for part in self._all_open(segment, files, opened):
                yield from _read(files[part.source], part)

    def _all_open(
        self, segment: Segment, files: dict[object, BinaryIO], opened: ExitStack
    ) -> list[Range]:
        """Open what the segment lies in; what another list let go meanwhile is looked up again.

        What is open stays readable, whatever becomes of its name.
        """
        for last in (False, True):
            try:
                parts = list(self.known[segment.xorb].ranges(segment.first, segment.end))
                for part in parts:
                    if part.source not in files:
                        files[part.source] = opened.enter_context(_opened(part.source))
            except Missing:
                if last:
                    raise
                del self.known[segment.xorb]
                self.look_up([segment.xorb])
            else:
                return parts
        raise Missing(segment.xorb)


def is_wanting(chunks: int, pieces: Iterable[tuple[int, int]]) -> bool:
    """Tell whether pieces (first, end) leave out a chunk; they may overlap."""
    at = 0
    for first, end in sorted(pieces):
        if first > at:
            return True
        at = max(at, end)
    return at < chunks


def home() -> Path:
    return Path(settings.STORE_HOME) / FOLDER


def incoming_folder() -> Path:
    """Give a folder in which the sweep of the store finds what a dead writer left."""
    return home() / incoming.FOLDER


def path_of(xorb: Xorb) -> Path:
    return home() / str(xorb.repository_id) / xorb.name


def lengths_kept(lengths: Iterable[int]) -> bytes:
    return array(LENGTH_CODE, lengths).tobytes()


def _lengths(xorb: Xorb) -> "array[int]":
    lengths = array(LENGTH_CODE)
    lengths.frombytes(bytes(xorb.lengths))
    return lengths


def _some(by_key: dict[int, Known]) -> Iterator[list[int]]:
    keys = sorted(by_key)
    for start in range(0, len(keys), queries.AT_ONCE):
        yield keys[start : start + queries.AT_ONCE]


def _opened(source: Blob | Path) -> BinaryIO:
    try:
        return (
            source.open("rb") if isinstance(source, Path) else queries.the_store().open(source)
        )
    except FileNotFoundError as error:
        raise Missing(str(source)) from error


def _read(file: BinaryIO, part: Range) -> Iterator[bytes]:
    file.seek(part.offset, os.SEEK_SET)
    left = part.size_bytes
    while left:
        piece = file.read(min(left, READ_BYTES))
        if not piece:
            raise Missing(str(part.source))
        left -= len(piece)
        yield piece

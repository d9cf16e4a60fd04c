"""Taking in xorbs, and making files of them: what a program that speaks Xet asks of the hub."""

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import BinaryIO

from django.conf import settings
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from fabriek.agreements import blind
from fabriek.hub import xet_places, xet_shards, xet_xorbs
from fabriek.hub.xet_models import Era, Piece, Xorb
from fabriek.hub.xet_places import Missing, Shelf
from fabriek.hub.xet_shards import FileInfo, Segment
from fabriek.kernel.errors import Invalid, Refused
from fabriek.people.models import Person
from fabriek.store import actions as store
from fabriek.store import incoming, queries
from fabriek.store.models import Blob, Repository

WRITE_BYTES = 2**20
FILES_MAX = 100_000
NAME = re.compile(r"[0-9a-f]{64}")


class Unknown(Refused):
    """The list names what is not here; the client has forgotten it when it tries again."""

    code = "unknown_xorb"


def era_of(repository: Repository) -> int:
    """Give the number that clients remember things by."""
    return Era.objects.get_or_create(repository=repository)[0].number


# --- taking in ---------------------------------------------------------------------------
def take_xorb(
    repository: Repository, name: str, source: xet_xorbs.Readable, *, by: Person
) -> bool:
    """Keep a xorb for this repository; False when its chunks are here already.

    It is unpacked as it comes and named again by what is in it: nobody can put other bytes
    under a name that somebody else's program will refer to.

    Who may not read what is here sends it whole, as if it were not: a name is all that somebody
    needs to ask by.

    Raises: Invalid, TooLarge, StorageFull; nothing is left behind.
    """
    if not NAME.fullmatch(name):
        raise xet_xorbs.broken()
    only_by = blind.only_by(by, repository)
    known = xet_places.sent_to(repository, only_by=only_by).filter(name=name).first()
    if known and is_whole(known):
        Xorb.objects.filter(pk=known.pk).update(used_at=timezone.now())
        return False
    incoming.require_room(xet_places.incoming_folder())
    unpacking = xet_xorbs.Unpacking(source)
    xorb = Xorb(repository=repository, name=name, by=by)
    with incoming.temporary(xet_places.incoming_folder()) as file:
        with open(file.descriptor, "wb", buffering=WRITE_BYTES, closefd=False) as writer:
            for chunk in unpacking:
                writer.write(chunk)
        contents = unpacking.contents
        if contents.name != name:
            raise _other_xorb()
        path = xet_places.path_of(xorb)
        path.parent.mkdir(parents=True, exist_ok=True)
        file.path.replace(path)
    lengths = xet_places.lengths_kept(contents.lengths)
    facts = {"lengths": lengths, "chunks": len(contents.lengths), "by": by, "is_here": True}
    Xorb.objects.update_or_create(
        repository=repository, name=name, defaults=facts | {"used_at": timezone.now()}
    )
    return True


def is_whole(xorb: Xorb) -> bool:
    """Tell whether all its chunks can be read: in its own file, or in files of the store."""
    if xorb.is_here:
        return xet_places.path_of(xorb).is_file()
    return not xet_places.is_wanting(xorb.chunks, xorb.pieces.values_list("first", "end"))


# --- making files ------------------------------------------------------------------------
class Making:
    """Makes the files of a list out of xorbs that were sent to this repository before."""

    def __init__(self, repository: Repository, shard: BinaryIO, *, by: Person) -> None:
        self.repository = repository
        self.by = by
        self.shelf = Shelf(repository, only_by=blind.only_by(by, repository))
        self._shard = shard

    def check(self) -> int:
        """Look at all of it before the first byte is written; give the size of it in bytes.

        Raises:
            Invalid: it cannot be read, or says other lengths than the chunks have.
            TooLarge, StorageFull: one file, or all of them.
            Unknown: a xorb was never sent here. One of somebody else's repository is answered
                so too, and of who may not read this one all that others sent.
        """
        total = 0
        for number, file in enumerate(xet_shards.files(self._shard)):
            if number == FILES_MAX:
                raise _too_many_files()
            size_bytes = self._size(file)
            if size_bytes > settings.UPLOAD_LIMIT_BYTES:
                raise incoming.too_large(settings.UPLOAD_LIMIT_BYTES)
            total += size_bytes
        incoming.require_room(xet_places.incoming_folder(), total)
        self.shelf.touch()
        return total

    def make(self) -> None:
        """Put the files in the store, and let go of xorbs that are in them now.

        Raises: Invalid, when a file is not the one announced; Unknown, StorageFull.
        """
        for file in xet_shards.files(self._shard):
            self._make_one(file)
        self._let_go()

    def _size(self, file: FileInfo) -> int:
        size_bytes = 0
        for some in _batched(xet_shards.segments(self._shard, file)):
            with self._missing_told():
                self.shelf.look_up(segment.xorb for segment in some)
                for segment in some:
                    known = self.shelf.known[segment.xorb]
                    if known.size_of(segment.first, segment.end) != segment.size_bytes:
                        raise xet_shards.broken()
            size_bytes += sum(segment.size_bytes for segment in some)
        return size_bytes

    def _make_one(self, file: FileInfo) -> None:
        segments = xet_shards.segments(self._shard, file)
        try:
            with self._missing_told(), self.shelf.reading(segments) as content:
                blob = store.store_bytes(
                    self.repository,
                    content,
                    by=self.by,
                    expected_sha256=file.sha256 or None,
                )
        except Invalid:
            self._distrust(file)
            raise
        self._note(file, blob)

    def _note(self, file: FileInfo, blob: Blob) -> None:
        """Write down where chunks are now that were in no file before."""
        offset, new = 0, []
        for segment in xet_shards.segments(self._shard, file):
            known = self.shelf.known[segment.xorb]
            for first, end in list(known.uncovered(segment.first, segment.end)):
                at = offset + known.size_of(segment.first, first)
                piece = Piece(xorb=known.xorb, blob=blob, first=first, end=end, offset=at)
                known.add(piece)
                new.append(piece)
            offset += segment.size_bytes
        # Another list may have noted the same chunks of another file meanwhile.
        Piece.objects.bulk_create(new, batch_size=1000, ignore_conflicts=True)

    def _let_go(self) -> None:
        for known in self.shelf.known.values():
            xorb = known.xorb
            if xorb.is_here and not list(known.uncovered(0, xorb.chunks)):
                Xorb.objects.filter(pk=xorb.pk).update(is_here=False)
                xet_places.path_of(xorb).unlink(missing_ok=True)

    def _distrust(self, file: FileInfo) -> None:
        """Forget the xorbs of a file that came out wrong: a disk may have spoilt them."""
        names = {segment.xorb for segment in xet_shards.segments(self._shard, file)}
        forget([self.shelf.known[name].xorb for name in names])

    @contextmanager
    def _missing_told(self) -> Iterator[None]:
        """Turn what is missing into a refusal, and let clients forget what they remember."""
        try:
            yield
        except Missing as error:
            begin_new_era([self.repository.pk])
            raise _unknown() from error


def _batched(segments: Iterator[Segment]) -> Iterator[list[Segment]]:
    while some := list(islice(segments, queries.AT_ONCE)):
        yield some


# --- forgetting --------------------------------------------------------------------------
def forget(xorbs: Iterable[Xorb]) -> None:
    """Remove xorbs, and let clients forget that they sent them."""
    gone = list(xorbs)
    begin_new_era({xorb.repository_id for xorb in gone})
    for some in queries.batches(str(xorb.pk) for xorb in gone):
        Xorb.objects.filter(pk__in=some).delete()
    for xorb in gone:
        xet_places.path_of(xorb).unlink(missing_ok=True)


def begin_new_era(repository_ids: Collection[int]) -> None:
    Era.objects.filter(repository__in=repository_ids).update(number=F("number") + 1)


# --- what is said ------------------------------------------------------------------------
def _unknown() -> Unknown:
    return Unknown(
        _(
            "Some of what this file consists of is not here any more, so it was not saved. "
            "Start the same upload again: your program then sends all of it."
        )
    )


def _other_xorb() -> Invalid:
    return Invalid(
        _("The xorb did not arrive as it was sent. Nothing was kept; send it again."),
        code="other_bytes",
    )


def _too_many_files() -> Invalid:
    return Invalid(
        _("A list holds at most %(most)s files. Send them in several commits.")
        % {"most": FILES_MAX},
        code="too_many_files",
    )

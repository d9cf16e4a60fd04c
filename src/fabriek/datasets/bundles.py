"""Many files at once, in one stream: in, and out again."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from fabriek.datasets import refusals, rules, tar_stream
from fabriek.datasets.models import Dataset
from fabriek.kernel import journal
from fabriek.people.models import Person
from fabriek.store import many, signs
from fabriek.store.incoming import Readable
from fabriek.store.models import File, Revision
from fabriek.store.noting import Stored
from fabriek.store.queries import the_store
from fabriek.store.refusals import require_files

# So many names are asked of the database at a time, and so much is handed to the web server.
ROWS_AT_ONCE = 1000
PIECE_BYTES = 2**20
# Who fetches a dataset over a slow line is at it for hours, and may lose the right meanwhile.
LOOK_AGAIN_S = 10.0
ENDLESS_BYTES = 2**62  # no file is, and a database can hold it

journal.describe({"datasets.download_many": _("downloaded files of a dataset")})


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which files: `under` a folder, smaller than `below_bytes`, `after` a path."""

    under: str = ""
    below_bytes: int | None = None
    after: str = ""


@dataclass(frozen=True, slots=True)
class _OnItsWay:
    path: str
    size_bytes: int


def take_in(dataset: Dataset, stream: Readable, *, by: Person) -> dict[str, Stored]:
    """Take in the files of a tar; no revision names them before `actions.commit`.

    What came before something broke stays for a day, so only the rest has to be sent again.

    Raises:
        NotAllowed, WrongState: `by` may not add to this dataset, or the case is not open.
        Invalid: no tar, something in it that is no plain file, an empty one, or a wrong name.
        TooLarge, StorageFull: see `store.many.store_many`.
    """
    rules.require_part(by, dataset.case)
    rules.require_open(dataset.case)
    return many.store_many(dataset.repository, _entries(stream), by=by)


def give_out(
    dataset: Dataset, revision: Revision, wanted: Wanted, *, by: Person
) -> Iterator[bytes]:
    """Give files as a tar, by name; written down once for all of them.

    Raises: NotAllowed.
    """
    rules.require_read(by, dataset, revision=revision.number)
    rows = _rows(revision, wanted)
    note_download(dataset, revision, rows, by=by, under=wanted.under)
    pieces = _in_large_pieces(_tar(revision, rows))
    return while_allowed(pieces, dataset, revision, by=by)


def _entries(stream: Readable) -> Iterator[many.Entry]:
    for found in tar_stream.files(stream):
        if not found.size_bytes:
            raise refusals.empty(found.path)
        yield many.Entry(found.path, found.size_bytes, found.content)


def _rows(revision: Revision, wanted: Wanted) -> "QuerySet[File]":
    rows = revision.files.select_related("blob").order_by("path")
    if wanted.under:
        rows = signs.by_key(rows).filter(signs.within(wanted.under.strip("/")))
    if wanted.below_bytes is not None:
        rows = rows.filter(blob__size_bytes__lt=min(wanted.below_bytes, ENDLESS_BYTES))
    return rows.filter(path__gt=wanted.after) if wanted.after else rows


def in_turns(revision: Revision, rows: "QuerySet[File]") -> Iterator[File]:
    """Ask for a thousand at a time: no cursor stays open while somebody downloads.

    Raises: Refused, when its files were dropped meanwhile: a stream must not end as if whole.
    """
    after = ""
    while some := list(rows.filter(path__gt=after)[:ROWS_AT_ONCE]):
        yield from some
        after = some[-1].path
    require_files(Revision.objects.get(pk=revision.pk))


def while_allowed(
    pieces: Iterator[bytes], dataset: Dataset, revision: Revision, *, by: Person
) -> Iterator[bytes]:
    """Give pieces for as long as their reader may have them.

    Raises: NotAllowed, RepositoryGone, in the middle: a stream must not end as if whole.
    """
    looked_at = time.monotonic()
    for piece in pieces:
        yield piece
        if time.monotonic() - looked_at >= LOOK_AGAIN_S:
            rules.require_still_read(by, dataset, revision=revision.number)
            looked_at = time.monotonic()


def note_download(
    dataset: Dataset, revision: Revision, rows: "QuerySet[File]", *, by: Person, under: str = ""
) -> None:
    """Write down once that many files were taken."""
    journal.record(
        "datasets.download_many",
        dataset,
        by=by,
        code=dataset.code,
        revision=revision.number,
        under=under,
        files=rows.count(),
    )


def _tar(revision: Revision, rows: "QuerySet[File]") -> Iterator[bytes]:
    store = the_store()
    for file in in_turns(revision, rows):
        size_bytes = file.blob.size_bytes
        yield tar_stream.written(_OnItsWay(file.path, size_bytes))
        with store.open(file.blob) as content:
            left = size_bytes
            while left and (piece := content.read(min(left, PIECE_BYTES))):
                left -= len(piece)
                yield piece
        yield tar_stream.padding(size_bytes)
    yield tar_stream.end()


def _in_large_pieces(pieces: Iterator[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= PIECE_BYTES:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)

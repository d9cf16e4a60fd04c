"""All files of a revision as one zip, for who has a browser and no terminal."""

import io
import zipfile
from collections.abc import Iterator
from typing import BinaryIO

from fabriek.datasets import bundles, rules
from fabriek.datasets.models import Dataset
from fabriek.people.models import Person
from fabriek.store.models import File, Revision
from fabriek.store.queries import the_store

# A zip tells days since 1980 only; the same bytes each time are worth more than a day.
NO_DAY = (1980, 1, 1, 0, 0, 0)


def give_out(dataset: Dataset, revision: Revision, *, by: Person) -> Iterator[bytes]:
    """Give the files as they are, not packed smaller; written down once for all of them.

    Nothing is kept on disk or held in memory but one piece.

    Raises: NotAllowed.
    """
    rules.require_read(by, dataset, revision=revision.number)
    rows = revision.files.select_related("blob").order_by("path")
    bundles.note_download(dataset, revision, rows, by=by)
    pieces = _zipped(bundles.in_turns(revision, rows))
    return bundles.while_allowed(pieces, dataset, revision, by=by)


def _zipped(files: Iterator[File]) -> Iterator[bytes]:
    made = _Sink()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            about = zipfile.ZipInfo(file.path, NO_DAY)
            with (
                the_store().open(file.blob) as content,
                archive.open(about, "w", force_zip64=True) as entry,
            ):
                for piece in _pieces(content):
                    entry.write(piece)
                    if made.held_bytes >= bundles.PIECE_BYTES:
                        yield made.taken()
    yield made.taken()


def _pieces(content: BinaryIO) -> Iterator[bytes]:
    while piece := content.read(bundles.PIECE_BYTES):
        yield piece


class _Sink(io.RawIOBase):
    """Holds what was written until it is taken; nobody can go back in it, so zips stream."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self.held_bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, piece: bytes) -> int:  # type: ignore[override]
        self._held.append(bytes(piece))
        self.held_bytes += len(piece)
        return len(piece)

    def taken(self) -> bytes:
        held = b"".join(self._held)
        self._held, self.held_bytes = [], 0
        return held

"""What any place for bytes can do: a folder on disk, or a bucket that speaks S3.

Bytes are never changed: only added, and removed when nothing names them any more. A *single* is
a file of its own, found by its SHA-256. A *pack* is one file with many small ones behind each
other, found by its key; which part of it is which file, only the database knows.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, ClassVar, Protocol

from django.utils.translation import gettext as _

from fabriek.kernel import strange
from fabriek.kernel.errors import Refused
from fabriek.store.incoming import Received, Source

# Told how many bytes were read since the last time; it may wait, or raise to stop the reading.
Pace = Callable[[int], None]


class Damaged(Refused, FileNotFoundError):
    """The bytes are not there, or are no longer those that were kept.

    For people a refusal with a sentence; for code that knows files the same as a file that is
    gone, as wrong bytes are never given to anybody.
    """

    code = "damaged"
    status: ClassVar[int] = 503
    kept: "Kept | None" = None  # which bytes, where that is known


class StoreDown(Refused):
    """Where the bytes are does not answer, or says no. Nothing may be concluded of them."""

    code = "store_down"
    status: ClassVar[int] = 503


def store_down() -> StoreDown:
    return StoreDown(
        _(
            "The store of the factory does not answer now, so this was not done. Nothing is "
            "lost; try again in a few minutes."
        )
    )


def damaged(kept: "Kept | None" = None) -> Damaged:
    refusal = Damaged(
        _(
            "The bytes of this file are damaged here, so they are not given to anybody. Staff "
            "of the factory see it on their list. Sending the same file again mends it."
        )
    )
    refusal.kept = kept
    return refusal


class Harm(StrEnum):
    """What became of bytes: the words of `store.models.Damage`."""

    GONE = "gone"
    SHORT = "short"  # of another size than when they were kept
    CHANGED = "changed"
    UNREADABLE = "unreadable"  # the disk says no


class Kept(Protocol):
    """Where bytes lie. `pack_id` names the pack they are in, from `pack_offset` on."""

    organisation_id: int
    sha256: str
    blake3: str  # empty: not known
    size_bytes: int
    pack_id: str | None
    pack_offset: int


@dataclass(kw_only=True, slots=True)
class Alone:
    """Bytes as a file of their own, also where no row says so."""

    organisation_id: int
    sha256: str
    blake3: str
    size_bytes: int
    pack_id: str | None = None
    pack_offset: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """What reading all of some bytes again found.

    `blake3` is that of what was read, empty where nothing could be. `mark` tells whether what
    lies there is still what was read.
    """

    harm: Harm | None = None
    blake3: str = ""
    mark: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Brought:
    """How much of some bytes lies where jobs can have it without waiting."""

    done_bytes: int
    total_bytes: int
    is_ready: bool


class Store(Protocol):
    """Bytes by their SHA-256, kept once per organisation, written once and never changed.

    What a method promises to be there survives a power cut after it returned. A process that is
    killed anywhere leaves at most what `sweep_temporary` and `pack_keys` find.
    """

    # --- taking in -----------------------------------------------------------------------
    def receive(
        self,
        organisation_id: int,
        source: Source,
        *,
        limit_bytes: int,
        expected_sha256: str | None = None,
    ) -> Received:
        """Take in a stream as a single; one that is here already costs no second copy.

        What is here is compared before it is believed: what was sent is whole afterwards.

        Raises:
            TooLarge: the stream goes on beyond `limit_bytes`.
            Invalid: the bytes are not those that were announced.
            StorageFull: there is no room; nothing is left behind.
        """
        ...

    def adopt(
        self,
        organisation_id: int,
        path: Path,
        *,
        limit_bytes: int,
        within: strange.Place | None = None,
        known: Received | None = None,
    ) -> Received:
        """Take in a file that is on our disk already, without a copy where that is safe.

        `known`: what whoever wrote the file found while writing it, so that it need not be read
        again. Ignored for a file `within` reach of a job.

        Raises: Invalid, TooLarge, StorageFull.
        """
        ...

    def keep_pack(self, organisation_id: int, pieces: Iterable[bytes]) -> str:
        """Keep pieces behind each other as a new pack; return its key, empty without pieces.

        They are written as they come. Whatever `pieces` raises passes through, and nothing is
        left behind then. Raises: StorageFull.
        """
        ...

    # --- giving out ----------------------------------------------------------------------
    def has(self, kept: Kept) -> bool:
        """Tell, without reading them, whether the bytes seem to be there: their whole size."""
        ...

    def open(self, kept: Kept) -> BinaryIO:
        """Open for reading; it can be wound to any place, and ends where the bytes end.

        On a folder it has a `fileno`, whose own offset is that of the bytes: the kernel may
        send from there, as many bytes as there are and no more (behind them lie others').

        Raises: Damaged. Bytes in a pack are compared first; a single is opened as it is.
        """
        ...

    def materialise(self, kept: Kept, target: Path) -> None:
        """Put the bytes at `target`, read-only, whole or not at all.

        Raises: StorageFull, Damaged.
        """
        ...

    def lay_out(self, wanted: Iterable[tuple[Kept, Path]]) -> None:
        """Do as `materialise` for many, each pack in one go.

        Each file is whole or absent; where it fails, some are there and others not.
        """
        ...

    def bring(self, wanted: Sequence[Kept]) -> Brought:
        """Begin, or go on, to bring bytes near for `lay_out`, and say how far that is.

        Never waits for bytes; ask again. On a folder everything is near.

        Raises: Damaged, StorageFull, StoreDown: of bytes that were tried and did not come.
        """
        ...

    def under_name(self, kept: Kept, name: str) -> AbstractContextManager[Path]:
        """Lend the bytes as a file under a name of your choice. Raises: Damaged."""
        ...

    # --- looking after ---------------------------------------------------------------------
    def verify(self, kept: Kept) -> bool:
        """Read everything again and compare; False also when the bytes are gone."""
        ...

    def look(self, kept: Kept, *, pace: Pace) -> Looked:
        """Read everything again and compare: by BLAKE3 where known, else by SHA-256.

        `pace` is called after each piece. What others have in memory stays there.
        """
        ...

    def quarantine(self, kept: Kept, found: Looked) -> str:
        """Put damaged bytes aside, so that nobody is given them and they can be looked into.

        In a bucket what lies near goes too, unless that is whole.

        Return under which name, empty when nothing (or meanwhile something else) is there.
        """
        ...

    # --- removing --------------------------------------------------------------------------
    def discard(self, kept: Kept, *, untouched_since: float) -> bool:
        """Remove a single that nobody sent again since that moment (seconds since 1970).

        Nothing is done for bytes in a pack: see `release`.
        """
        ...

    def release(self, organisation_id: int, key: str, named: Sequence[tuple[int, int]]) -> bool:
        """Give back the room of a pack but for the parts (offset, size) that are `named`.

        False when that cannot be done here, or not now, as somebody reads in it.
        """
        ...

    def drop_pack(self, organisation_id: int, key: str) -> None:
        """Remove a pack; who has it open reads on. Safe to repeat."""
        ...

    def pack_keys(self, *, before: float) -> Iterator[tuple[int, str]]:
        """Name all packs (organisation, key) that were kept before that moment."""
        ...

    def singles(self, *, before: float) -> Iterator[tuple[int, str]]:
        """Name all singles (organisation, SHA-256) that were kept before that moment."""
        ...

    def sweep_temporary(self, *, before: float) -> int:
        """Remove what dead writers left; `before` is in seconds since 1970."""
        ...

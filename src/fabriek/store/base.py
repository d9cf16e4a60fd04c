"""What any place for bytes can do: a folder on disk, or a bucket that speaks S3."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol

from fabriek.kernel import strange
from fabriek.store.incoming import Received, Source


class Kept(Protocol):
    """Where bytes lie. `pack_id` names the pack they are in, from `pack_offset` on."""

    organisation_id: int
    sha256: str
    size_bytes: int
    pack_id: str | None
    pack_offset: int


class Store(Protocol):
    """Bytes by their SHA-256, kept once per organisation, written once and never changed."""

    def receive(
        self,
        organisation_id: int,
        source: Source,
        *,
        limit_bytes: int,
        expected_sha256: str | None = None,
    ) -> Received:
        """Take in a stream; bytes that are here already cost no second copy.

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
    ) -> Received:
        """Take in a file that is on our disk already, without a copy where that is safe.

        Raises: Invalid, TooLarge, StorageFull.
        """
        ...

    def has(self, kept: Kept) -> bool: ...

    def open(self, kept: Kept) -> BinaryIO:
        """Open for reading; it can be wound to any place, and ends where the bytes end.

        On a folder it has a `fileno`, whose own offset is that of the bytes: the kernel may
        send from there.

        Raises: FileNotFoundError.
        """
        ...

    def materialise(self, kept: Kept, target: Path) -> None:
        """Put the bytes at `target`, read-only, whole or not at all. Raises: StorageFull."""
        ...

    def under_name(self, kept: Kept, name: str) -> AbstractContextManager[Path]:
        """Lend the bytes as a file under a name of your choice."""
        ...

    def verify(self, kept: Kept) -> bool:
        """Read everything again and compare; False also when the bytes are gone."""
        ...

    def discard(self, kept: Kept, *, untouched_since: float) -> bool:
        """Remove bytes that nobody sent again since that moment (seconds since 1970)."""
        ...

    def sweep_temporary(self, *, before: float) -> int:
        """Remove what dead writers left; `before` is in seconds since 1970."""
        ...

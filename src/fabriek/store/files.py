"""Bytes in a folder by their SHA-256: written once, whole, and never changed.

    <home>/<organisation>/<first two signs>/<sha256>    mode 0444: the home is ours alone
    <home>/<organisation>/packs/<key>                   many small ones: see `packs`
    <home>/<organisation>/incoming/                     on the way in
    <home>/<organisation>/quarantine/                   damaged bytes, which nobody is given
    <home>/<organisation>/lock                          held while a name comes or goes

Organisations share nothing: even the fact that two hold the same file would be a secret told.
A file is flushed to the disk before it gets its name, and its folder after, so that what the
database names outlives a power cut. `kill -9` at any moment leaves at most a file in
`incoming`, which `sweep_temporary` removes.
"""

import os
import shutil
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fabriek.kernel import strange
from fabriek.store import base, copies, incoming, looking, packs, sources, suspects
from fabriek.store.base import Brought, Kept, Looked, Pace
from fabriek.store.incoming import Received, Source
from fabriek.store.singles import LINK, SHA256, Singles, checked, other_bytes

INCOMING = incoming.FOLDER
QUARANTINE = "quarantine"
LENT = ".lent"  # beside a writer's own locked file, and gone when that one goes


@dataclass(frozen=True, slots=True)
class FolderStore:
    home: Path
    # Damage found here is noted: not that of a second place, or of what only lies near.
    is_the_store: bool = False

    def receive(
        self,
        organisation_id: int,
        source: Source,
        *,
        limit_bytes: int,
        expected_sha256: str | None = None,
        stays_at_hand: bool = False,
    ) -> Received:
        """Take in a stream; bytes that are here already cost no second copy.

        Raises:
            TooLarge: the stream goes on beyond `limit_bytes`.
            Invalid: the bytes are not those that were announced.
            StorageFull: the disk is; nothing is left behind.
        """
        if expected_sha256 is not None:
            checked(expected_sha256)
        singles = self._singles(organisation_id)
        incoming.require_room(singles.incoming)
        with incoming.temporary(singles.incoming) as file:
            received = file.fill(source, limit_bytes=limit_bytes, stays_at_hand=stays_at_hand)
            if expected_sha256 not in {None, received.sha256}:
                raise other_bytes(received.sha256)
            singles.keep(received, file)
        return received

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

        `known`: who wrote it hashed it meanwhile; it is not read again.
        `within`: where a job may play tricks with what lies below. Such a file is never linked,
        even if it is ours: the job may hold it open, and write in it after it was hashed.

        Raises:
            Invalid: a link, or no file at all, or one that is still being written.
            TooLarge: it is larger than `limit_bytes`.
            StorageFull: there is no room for a copy.
        """
        singles = self._singles(organisation_id)
        with sources.opened(path, within) as file:
            size = os.fstat(file.fileno()).st_size
            if size > limit_bytes:
                raise incoming.too_large(limit_bytes)
            trusted = known if not within and known and known.size_bytes == size else None
            if adopted := singles.adopt_clone(file, path, trusted):
                return adopted
            if not within and (linked := singles.adopt_link(file, path, trusted)):
                return linked
            incoming.require_room(singles.incoming, size)
            copied = sources.first_bytes(file, size)
            return self.receive(organisation_id, copied, limit_bytes=limit_bytes)

    def keep_pack(self, organisation_id: int, pieces: Iterable[bytes]) -> str:
        return packs.keep(self._folder(organisation_id), pieces)

    def has(self, kept: Kept) -> bool:
        try:
            size_bytes = self.path(kept).stat().st_size
        except FileNotFoundError:
            return False
        if kept.pack_id is None:
            return size_bytes == kept.size_bytes
        return size_bytes >= kept.pack_offset + kept.size_bytes

    def open(self, kept: Kept) -> BinaryIO:
        with self._noting(kept):
            if kept.pack_id is not None:
                return packs.Packed(self.path(kept), kept)
            try:
                return self.path(kept).open("rb")
            except FileNotFoundError as error:
                raise base.damaged(kept) from error

    def path(self, kept: Kept) -> Path:
        """Name the file that the bytes lie in: their own, or a pack."""
        if kept.pack_id is not None:
            return packs.path_of(self._folder(kept.organisation_id), kept.pack_id)
        return self._singles(kept.organisation_id).path(kept.sha256)

    def materialise(self, kept: Kept, target: Path) -> None:
        """Put the bytes at `target`, read-only: reflink, else hard link, else copy."""
        self.lay_out([(kept, target)])

    def lay_out(self, wanted: Iterable[tuple[Kept, Path]]) -> None:
        in_packs: dict[Path, list[tuple[Kept, Path]]] = defaultdict(list)
        made: set[Path] = set()
        with incoming.refused_when_full():
            for kept, target in wanted:
                if target.parent not in made:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    made.add(target.parent)
                if kept.pack_id is not None:
                    in_packs[self.path(kept)].append((kept, target))
                else:
                    self._place(kept, target)
            for pack, files in in_packs.items():
                with self._noting(files[0][0]):
                    packs.lay_out(pack, files)

    def bring(self, wanted: Sequence[Kept]) -> Brought:
        total = sum(kept.size_bytes for kept in wanted)
        return Brought(done_bytes=total, total_bytes=total, is_ready=True)

    @contextmanager
    def under_name(self, kept: Kept, name: str) -> Iterator[Path]:
        """Lend the bytes under a name of your choice, for readers that go by its ending."""
        with self.lent(kept, name) as path:
            self.materialise(kept, path)
            yield path

    @contextmanager
    def lent(self, kept: Kept, name: str) -> Iterator[Path]:
        """Give a place for bytes that are lent; it is gone afterwards, whatever happens."""
        with incoming.temporary(self._singles(kept.organisation_id).incoming) as place:
            folder = place.path.with_suffix(LENT)
            try:
                yield folder / name
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def verify(self, kept: Kept) -> bool:
        return self.look(kept, pace=looking.unhurried).harm is None

    def look(self, kept: Kept, *, pace: Pace) -> Looked:
        return looking.look_at(self.path(kept), kept, pace=pace)

    def quarantine(self, kept: Kept, found: Looked) -> str:
        """Put damaged bytes aside: a single itself, of a pack a copy of the part."""
        folder = self._folder(kept.organisation_id) / QUARANTINE
        folder.mkdir(mode=0o700, exist_ok=True)
        target = folder / f"{kept.sha256}-{time.time_ns()}"
        if kept.pack_id is not None:
            return target.name if _copied(self.path(kept), kept, target) else ""
        aside = self._singles(kept.organisation_id).put_aside(kept.sha256, found, target)
        return target.name if aside else ""

    def discard(self, kept: Kept, *, untouched_since: float) -> bool:
        """Remove a single that nobody sent again since that moment (seconds since 1970)."""
        if kept.pack_id is not None:
            return False
        singles = self._singles(kept.organisation_id)
        return singles.discard(kept.sha256, untouched_since=untouched_since)

    def release(self, organisation_id: int, key: str, named: Sequence[tuple[int, int]]) -> bool:
        return packs.release(packs.path_of(self._folder(organisation_id), key), named)

    def drop_pack(self, organisation_id: int, key: str) -> None:
        packs.path_of(self._folder(organisation_id), key).unlink(missing_ok=True)

    def pack_keys(self, *, before: float) -> Iterator[tuple[int, str]]:
        for path in self.home.glob(f"*/{packs.PACKS}/*"):
            with suppress(FileNotFoundError):
                if packs.KEY.fullmatch(path.name) and path.stat().st_mtime < before:
                    yield int(path.parent.parent.name), path.name

    def singles(self, *, before: float) -> Iterator[tuple[int, str]]:
        for path in self.home.glob("[0-9]*/[0-9a-f][0-9a-f]/*"):
            with suppress(FileNotFoundError):
                if SHA256.fullmatch(path.name) and path.stat().st_mtime < before:
                    yield int(path.parent.parent.name), path.name

    def sweep_temporary(self, *, before: float) -> int:
        """Remove what dead writers left; `before` is in seconds since 1970."""
        left = [path for path in self.home.glob(f"*/{INCOMING}/*") if not path.suffix]
        abandoned = [path for path in left if incoming.is_abandoned(path, before=before)]
        for path in abandoned:
            shutil.rmtree(path.with_suffix(LENT), ignore_errors=True)
            path.with_suffix(LINK).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
        return len(abandoned)

    def _place(self, kept: Kept, target: Path) -> None:
        try:
            copies.place(self.path(kept), target)
        except FileNotFoundError as error:
            with self._noting(kept):
                raise base.damaged(kept) from error

    def _noting(self, kept: Kept) -> AbstractContextManager[None]:
        return suspects.noting(self.home, kept) if self.is_the_store else nullcontext()

    def _singles(self, organisation_id: int) -> Singles:
        return Singles(self._folder(organisation_id))

    def _folder(self, organisation_id: int) -> Path:
        return self.home / str(int(organisation_id))


def _copied(pack: Path, kept: Kept, target: Path) -> bool:
    if not pack.is_file():
        return False
    with pack.open("rb") as there:
        there.seek(kept.pack_offset)
        target.write_bytes(there.read(kept.size_bytes))
    return True

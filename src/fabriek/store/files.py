"""Bytes in a folder by their SHA-256: written once, whole, and never changed.

    <home>/<organisation>/<first two signs>/<sha256>    mode 0444: the home is ours alone
    <home>/<organisation>/incoming/                     on the way in
    <home>/<organisation>/lock                          held while a name comes or goes

Organisations share nothing: even the fact that two hold the same file would be a secret told.
A file is flushed to the disk before it gets its name, and its folder after, so that what the
database names outlives a power cut. `kill -9` at any moment leaves at most a file in
`incoming`, which `sweep_temporary` removes.
"""

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from django.utils.translation import gettext as _

from fabriek.kernel import strange
from fabriek.kernel.errors import Invalid
from fabriek.store import copies, incoming, sources
from fabriek.store.base import Kept
from fabriek.store.incoming import Received, Source

INCOMING = "incoming"
# What a writer needs beside its own locked file; it goes when that one goes.
LENT = ".lent"
LINK = ".link"
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FolderStore:
    home: Path

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
            StorageFull: the disk is; nothing is left behind.
        """
        if expected_sha256 is not None:
            checked(expected_sha256)
        with incoming.temporary(self._incoming(organisation_id)) as file:
            received = file.fill(source, limit_bytes=limit_bytes)
            if expected_sha256 not in {None, received.sha256}:
                raise _other_bytes(received)
            self._keep(organisation_id, received, file)
        return received

    def adopt(
        self,
        organisation_id: int,
        path: Path,
        *,
        limit_bytes: int,
        within: strange.Place | None = None,
    ) -> Received:
        """Take in a file that is on our disk already, without a copy where that is safe.

        `within`: where a job may play tricks with what lies below. Such a file is never linked,
        even if it is ours: the job may hold it open, and write in it after it was hashed.

        Raises:
            Invalid: a link, or no file at all, or one that is still being written.
            TooLarge: it is larger than `limit_bytes`.
            StorageFull: there is no room for a copy.
        """
        with sources.opened(path, within) as file:
            size = os.fstat(file.fileno()).st_size
            if size > limit_bytes:
                raise incoming.too_large(limit_bytes)
            if adopted := self._adopt_clone(organisation_id, file, path):
                return adopted
            if not within and (linked := self._adopt_link(organisation_id, file, path)):
                return linked
            incoming.require_room(self._incoming(organisation_id), size)
            copied = sources.first_bytes(file, size)
            return self.receive(organisation_id, copied, limit_bytes=limit_bytes)

    def has(self, kept: Kept) -> bool:
        return self.path(kept).is_file()

    def open(self, kept: Kept) -> BufferedReader:
        return self.path(kept).open("rb")

    def path(self, kept: Kept) -> Path:
        return self._path(kept.organisation_id, kept.sha256)

    def materialise(self, kept: Kept, target: Path) -> None:
        """Put the bytes at `target`, read-only: reflink, else hard link, else copy."""
        with incoming.refused_when_full():
            copies.place(self.path(kept), target)

    @contextmanager
    def under_name(self, kept: Kept, name: str) -> Iterator[Path]:
        """Lend the bytes under a name of your choice, for readers that go by its ending."""
        with incoming.temporary(self._incoming(kept.organisation_id)) as place:
            folder = place.path.with_suffix(LENT)
            try:
                self.materialise(kept, folder / name)
                yield folder / name
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def verify(self, kept: Kept) -> bool:
        """Read everything again and compare; False also when the bytes are gone."""
        try:
            with self.open(kept) as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == kept.sha256
        except FileNotFoundError:
            return False

    def discard(self, kept: Kept, *, untouched_since: float) -> bool:
        """Remove bytes that nobody sent again since that moment (seconds since 1970)."""
        path = self.path(kept)
        with self._locked(kept.organisation_id, fcntl.LOCK_EX):
            if not path.is_file() or path.stat().st_mtime >= untouched_since:
                return False
            path.unlink()
            return True

    def sweep_temporary(self, *, before: float) -> int:
        """Remove what dead writers left; `before` is in seconds since 1970."""
        left = [path for path in self.home.glob(f"*/{INCOMING}/*") if not path.suffix]
        abandoned = [path for path in left if incoming.is_abandoned(path, before=before)]
        for path in abandoned:
            shutil.rmtree(path.with_suffix(LENT), ignore_errors=True)
            path.with_suffix(LINK).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
        return len(abandoned)

    # --- how bytes get their name ------------------------------------------------------
    def _keep(self, organisation_id: int, received: Received, file: incoming.Incoming) -> None:
        if self._is_here(organisation_id, received):
            return
        os.fchmod(file.descriptor, copies.READ_ONLY)
        os.fsync(file.descriptor)
        self._name(organisation_id, received, file.path)

    def _is_here(self, organisation_id: int, received: Received) -> bool:
        """Tell whether we have these bytes, and mark them as sent again.

        The mark is the file's own time: a sweep that holds the lock next sees it, whether or
        not the sender's transaction has ended by then.
        """
        path = self._path(organisation_id, received.sha256)
        with self._locked(organisation_id, fcntl.LOCK_SH):
            if not path.is_file() or path.stat().st_size != received.size_bytes:
                return False
            os.utime(path)
            return True

    def _name(self, organisation_id: int, received: Received, part: Path) -> None:
        path = self._path(organisation_id, received.sha256)
        if not path.parent.is_dir():
            path.parent.mkdir(exist_ok=True)
            _flush_folder(path.parent.parent)
        with self._locked(organisation_id, fcntl.LOCK_SH):
            os.utime(part)
            part.replace(path)
        _flush_folder(path.parent)

    def _adopt_clone(
        self, organisation_id: int, file: BufferedReader, path: Path
    ) -> Received | None:
        """Share the blocks first and hash the clone, so that later writes change nothing."""
        size = os.fstat(file.fileno()).st_size
        with incoming.temporary(self._incoming(organisation_id)) as clone:
            if not copies.clone_into(clone.descriptor, file.fileno()):
                return None
            if os.fstat(clone.descriptor).st_size != size:
                raise sources.still_changing(path)
            with clone.path.open("rb") as readable:
                received = _hashed(readable)
            self._keep(organisation_id, received, clone)
        return received

    def _adopt_link(
        self, organisation_id: int, file: BufferedReader, path: Path
    ) -> Received | None:
        """Give the file a second name here, if ours: another owner could still change it."""
        before = os.fstat(file.fileno())
        if before.st_uid != os.geteuid():
            return None
        with incoming.temporary(self._incoming(organisation_id)) as place:
            part = place.path.with_suffix(LINK)
            if not copies.linked(path, part):
                return None
            try:
                if not part.samefile(f"/proc/self/fd/{file.fileno()}"):
                    raise sources.still_changing(path)
                received = self._keep_link(organisation_id, file, part)
                if not received:
                    raise sources.still_changing(path)
            finally:
                part.unlink(missing_ok=True)
        return received

    def _keep_link(
        self, organisation_id: int, file: BufferedReader, part: Path
    ) -> Received | None:
        """Hash and name the link; nothing when somebody wrote to the file meanwhile."""
        before = os.fstat(file.fileno())
        os.fchmod(file.fileno(), copies.READ_ONLY)
        received = _hashed(file)
        after = os.fstat(file.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            return None
        os.fsync(file.fileno())
        if not self._is_here(organisation_id, received):
            self._name(organisation_id, received, part)
        return received

    def _path(self, organisation_id: int, sha256: str) -> Path:
        return self._folder(organisation_id) / checked(sha256)[:2] / sha256

    def _folder(self, organisation_id: int) -> Path:
        return self.home / str(int(organisation_id))

    def _incoming(self, organisation_id: int) -> Path:
        return self._folder(organisation_id) / INCOMING

    @contextmanager
    def _locked(self, organisation_id: int, how: int) -> Iterator[None]:
        folder = self._folder(organisation_id)
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)


def checked(sha256: str) -> str:
    if not SHA256.fullmatch(sha256):
        raise Invalid(
            _("A SHA-256 is 64 signs, 0-9 and a-f. Send the one that sha256sum prints."),
            code="sha256",
        )
    return sha256


def _hashed(file: BufferedReader) -> Received:
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Received(sha256=digest, size_bytes=os.fstat(file.fileno()).st_size)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _other_bytes(received: Received) -> Invalid:
    return Invalid(
        _(
            "The file did not arrive as it was sent: its SHA-256 is %(sha256)s…, which is not "
            "the one announced. Nothing was kept; send it again."
        )
        % {"sha256": received.sha256[:12]},
        code="other_bytes",
    )

"""Files of their own in the folder of one organisation: how they get their name and lose it."""

import fcntl
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from django.utils.translation import gettext as _

from fabriek.kernel.errors import Invalid
from fabriek.store import copies, hashing, incoming, looking, sources
from fabriek.store.base import Alone, Harm, Looked
from fabriek.store.incoming import Incoming, Received

# What a writer needs beside its own locked file; it goes when that one goes.
LINK = ".link"
SHA256 = re.compile(r"[0-9a-f]{64}")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Singles:
    folder: Path

    @property
    def incoming(self) -> Path:
        return self.folder / incoming.FOLDER

    def path(self, sha256: str) -> Path:
        return self.folder / checked(sha256)[:2] / sha256

    def keep(self, received: Received, file: Incoming) -> None:
        """Give the bytes of a finished temporary file their name, unless they are here."""
        if self.is_here(received):
            return
        os.fchmod(file.descriptor, copies.READ_ONLY)
        os.fsync(file.descriptor)
        self._name(received, file.path)

    def is_here(self, received: Received) -> bool:
        """Tell whether we have these bytes whole, and mark them as sent again.

        They are compared: a disk that failed leaves a file of the right size, and good bytes
        would be thrown away for it. That is done without the lock, as it takes a second for
        each gigabyte.

        The mark is the file's own time: a sweep that holds the lock next sees it, whether or
        not the sender's transaction has ended by then.
        """
        path = self.path(received.sha256)
        found = _looked_at(path, received)
        if found.harm is not None:
            return False
        with self.locked(fcntl.LOCK_SH):
            if not _is_still(path, found):
                return False
            os.utime(path)
            return True

    def forget(self, sha256: str, found: Looked) -> bool:
        """Remove what was looked at, unless others were sent to the same name meanwhile."""
        path = self.path(sha256)
        with self.locked(fcntl.LOCK_EX):
            if not _is_still(path, found):
                return False
            path.unlink()
            return True

    def discard(self, sha256: str, *, untouched_since: float) -> bool:
        path = self.path(sha256)
        with self.locked(fcntl.LOCK_EX):
            if not path.is_file() or path.stat().st_mtime >= untouched_since:
                return False
            path.unlink()
            return True

    def put_aside(self, sha256: str, found: Looked, target: Path) -> bool:
        """Move damaged bytes away, unless others were sent to the same name meanwhile."""
        path = self.path(sha256)
        with self.locked(fcntl.LOCK_EX):
            if not _is_still(path, found):
                return False
            path.rename(target)
            return True

    def adopt_clone(
        self, file: BufferedReader, path: Path, known: Received | None
    ) -> Received | None:
        """Share the blocks first and hash the clone, so that later writes change nothing."""
        size = os.fstat(file.fileno()).st_size
        with incoming.temporary(self.incoming) as clone:
            if not copies.clone_into(clone.descriptor, file.fileno()):
                return None
            if os.fstat(clone.descriptor).st_size != size:
                raise sources.still_changing(path)
            with clone.path.open("rb") as readable:
                received = known or hashed(readable)
            self.keep(received, clone)
        return received

    def adopt_link(
        self, file: BufferedReader, path: Path, known: Received | None
    ) -> Received | None:
        """Give the file a second name here, if ours: another owner could still change it."""
        before = os.fstat(file.fileno())
        if before.st_uid != os.geteuid():
            return None
        with incoming.temporary(self.incoming) as place:
            part = place.path.with_suffix(LINK)
            if not copies.linked(path, part):
                return None
            try:
                if not part.samefile(f"/proc/self/fd/{file.fileno()}"):
                    raise sources.still_changing(path)
                received = self._keep_link(file, part, known)
                if not received:
                    raise sources.still_changing(path)
            finally:
                part.unlink(missing_ok=True)
        return received

    @contextmanager
    def locked(self, how: int) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)

    def _name(self, received: Received, part: Path) -> None:
        path = self.path(received.sha256)
        if not path.parent.is_dir():
            path.parent.mkdir(exist_ok=True)
            incoming.flush_folder(path.parent.parent)
        with self.locked(fcntl.LOCK_SH):
            os.utime(part)
            part.replace(path)
        incoming.flush_folder(path.parent)

    def _keep_link(
        self, file: BufferedReader, part: Path, known: Received | None
    ) -> Received | None:
        """Hash and name the link; nothing when somebody wrote to the file meanwhile."""
        before = os.fstat(file.fileno())
        os.fchmod(file.fileno(), copies.READ_ONLY)
        received = known or hashed(file)
        after = os.fstat(file.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            return None
        os.fsync(file.fileno())
        if not self.is_here(received):
            self._name(received, part)
        return received


def checked(sha256: str) -> str:
    if not SHA256.fullmatch(sha256):
        raise Invalid(
            _("A SHA-256 is 64 signs, 0-9 and a-f. Send the one that sha256sum prints."),
            code="sha256",
        )
    return sha256


def _is_still(path: Path, found: Looked) -> bool:
    return path.is_file() and looking.mark_of(path.stat()) == found.mark


def _looked_at(path: Path, received: Received) -> Looked:
    there = Alone(
        organisation_id=0,
        sha256=received.sha256,
        blake3=received.blake3,
        size_bytes=received.size_bytes,
    )
    found = looking.look_at(path, there, pace=looking.unhurried)
    if found.harm not in {None, Harm.GONE}:
        log.error("%s is %s in the store; it was sent again.", received.sha256, found.harm)
    return found


def hashed(file: BufferedReader) -> Received:
    """Read a file of ours to its end, and name what is in it."""
    return Received.of(hashing.of(incoming.chunks_of(file)))


def other_bytes(sha256: str) -> Invalid:
    return Invalid(
        _(
            "The file did not arrive as it was sent: its SHA-256 is %(sha256)s…, which is not "
            "the one announced. Nothing was kept; send it again."
        )
        % {"sha256": sha256[:12]},
        code="other_bytes",
    )

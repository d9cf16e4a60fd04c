"""What the command line remembers of files: their hashes, and uploads that broke off.

A file whose size, time and inode are those of last time is not read again: that makes looking
at 20,000 unchanged files a matter of a tenth of a second.
"""

import hashlib
import marshal
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

# A file system's clock ticks some milliseconds apart: a file that was written this shortly
# before it was read may be written again without its time telling.
TOO_FRESH_NS = 100_000_000
WAIT_S = 5
TABLES = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, inode INTEGER, sha256 TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS looks (fingerprint BLOB PRIMARY KEY, digest TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uploads (
    portal TEXT, dataset TEXT, sha256 TEXT, address TEXT, PRIMARY KEY (portal, dataset, sha256)
) WITHOUT ROWID;
"""


class Local(NamedTuple):
    """A file here: what its folder says of it."""

    path: str
    size_bytes: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, path: str, stat: os.stat_result) -> "Local":
        return cls(path, stat.st_size, stat.st_mtime_ns, stat.st_ino)


def fingerprint(files: Mapping[str, Local]) -> bytes:
    """Put all that the folders say of these files into one word, in a hundredth of a second.

    marshal's form may differ between versions of Python: then it is no word that is known.
    """
    return hashlib.sha256(
        marshal.dumps([(name, *file) for name, file in files.items()])
    ).digest()


class Index:
    """A small database in the user's cache folder. It may be thrown away at any time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        connection.executescript(TABLES)

    def known(self, files: Iterable[Local], below: Iterable[str]) -> dict[str, str]:
        """Give {path: SHA-256} of the files that are as they were; `below`: where they lie."""
        kept: dict[tuple[str, int, int, int], str] = {}
        for start in below:
            rows = self.connection.execute(
                "SELECT path, size, mtime_ns, inode, sha256 FROM files"
                " WHERE path = ? OR (path >= ? AND path < ?)",
                (start, f"{start}/", f"{start}0"),  # 0 comes right after /
            )
            kept.update((row[:4], row[4]) for row in rows)
        # A file and what is kept of it are the same four words, or it changed.
        return {file.path: kept[file] for file in files if file in kept}

    def digest_at(self, fingerprint: bytes) -> str:
        """Give the digest that a listing had when all of it looked like this; or nothing."""
        row = self.connection.execute(
            "SELECT digest FROM looks WHERE fingerprint = ?", (fingerprint,)
        ).fetchone()
        return str(row[0]) if row else ""

    def keep_digest(
        self, fingerprint: bytes, digest: str, files: Iterable[Local], *, seen_at_ns: int
    ) -> None:
        """Remember it, unless one of the files was so fresh that a change could go unseen."""
        newest = max((file.mtime_ns for file in files), default=0)
        if newest < seen_at_ns - TOO_FRESH_NS:
            with self.connection:
                self.connection.execute("DELETE FROM looks WHERE digest = ?", (digest,))
                self.connection.execute(
                    "INSERT OR REPLACE INTO looks VALUES (?, ?)", (fingerprint, digest)
                )

    def keep(self, files: Iterable[tuple[Local, str]], *, read_at_ns: int) -> None:
        """Remember hashes; not of files so fresh that a change now could go unseen."""
        rows = (
            (*file, sha256)
            for file, sha256 in files
            if file.mtime_ns < read_at_ns - TOO_FRESH_NS
        )
        with self.connection:
            self.connection.executemany("INSERT OR REPLACE INTO files VALUES (?,?,?,?,?)", rows)

    def upload(self, portal: str, dataset: str, sha256: str) -> str:
        """Give the address of an upload of these bytes that was not finished."""
        row = self.connection.execute(
            "SELECT address FROM uploads WHERE portal = ? AND dataset = ? AND sha256 = ?",
            (portal, dataset, sha256),
        ).fetchone()
        return str(row[0]) if row else ""

    def begin_upload(self, portal: str, dataset: str, sha256: str, address: str) -> None:
        with self.connection:
            self.connection.execute(
                "INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?)",
                (portal, dataset, sha256, address),
            )

    def end_upload(self, portal: str, dataset: str, sha256: str) -> None:
        with self.connection:
            self.connection.execute(
                "DELETE FROM uploads WHERE portal = ? AND dataset = ? AND sha256 = ?",
                (portal, dataset, sha256),
            )


def place() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "fabriek" / "files.sqlite3"


@contextmanager
def opened() -> Iterator[Index]:
    """Open the index; a damaged one is begun anew, and without a folder it lives in memory."""
    with closing(_connected()) as connection:
        yield Index(connection)


def _connected() -> sqlite3.Connection:
    path = place()
    for _try in range(2):
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Threads take turns: each statement stands alone.
            connection = sqlite3.connect(path, timeout=WAIT_S, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(TABLES)
        except (OSError, sqlite3.DatabaseError):
            with suppress(OSError):
                path.unlink()
        else:
            return connection
    return sqlite3.connect(":memory:", check_same_thread=False)

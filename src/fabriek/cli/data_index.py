"""What the command line remembers of files: their hashes, and uploads that broke off.

A file whose size, times and inode are those of last time is not read again: that makes looking
at 20,000 unchanged files a matter of a tenth of a second. The time at which it was changed
counts beside the one that it shows, as programs may set the latter back.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import NamedTuple

from fabriek.cli import config

# A file system's clock ticks some milliseconds apart: a file that was written this shortly
# before it was read may be written again without its time telling.
TOO_FRESH_NS = 100_000_000
WAIT_S = 5
FORM = 2  # what an older command kept of files tells too little
MAKE = f"""
BEGIN IMMEDIATE;
DROP TABLE IF EXISTS files;
DROP TABLE IF EXISTS looks;
CREATE TABLE files (
    path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, inode INTEGER,
    sha256 TEXT
) WITHOUT ROWID;
CREATE TABLE looks (place TEXT PRIMARY KEY, fingerprint BLOB, digest TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uploads (
    portal TEXT, dataset TEXT, sha256 TEXT, address TEXT, PRIMARY KEY (portal, dataset, sha256)
) WITHOUT ROWID;
PRAGMA user_version = {FORM};
COMMIT;
"""


class Local(NamedTuple):
    """A file here: what its folder says of it."""

    path: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, path: str, stat: os.stat_result) -> "Local":
        return cls(*facts(path, stat))

    @property
    def changed_ns(self) -> int:
        return max(self.mtime_ns, self.ctime_ns)


def facts(path: str, stat: os.stat_result) -> tuple[str, int, int, int, int]:
    """Give what `Local` holds."""
    return path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


class Index:
    """A small database in the user's cache folder. It may be thrown away at any time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def known(self, files: Iterable[Local], below: Iterable[str]) -> dict[str, str]:
        """Give {path: SHA-256} of the files that are as they were; `below`: where they lie."""
        kept: dict[tuple[str, int, int, int, int], str] = {}
        for start in filter(_is_text, below):
            rows = self.connection.execute(
                "SELECT path, size, mtime_ns, ctime_ns, inode, sha256 FROM files"
                " WHERE path = ? OR (path >= ? AND path < ?)",
                (start, f"{start}/", f"{start}0"),  # 0 comes right after /
            )
            kept.update((row[:5], row[5]) for row in rows)
        # A file and what is kept of it are the same five words, or it changed.
        return {file.path: kept[file] for file in files if file in kept}

    def look_at(self, place: str) -> tuple[bytes, str]:
        """Give how a place looked, and the digest of a revision that held it; or nothing."""
        if not _is_text(place):
            return b"", ""
        row = self.connection.execute(
            "SELECT fingerprint, digest FROM looks WHERE place = ?", (place,)
        ).fetchone()
        return row or (b"", "")

    def keep_look(
        self, place: str, look: tuple[bytes, str], files: Iterable[Local], *, seen_at_ns: int
    ) -> None:
        """Remember it, unless one of the files was so fresh that a change could go unseen."""
        newest = max((file.changed_ns for file in files), default=0)
        if newest < seen_at_ns - TOO_FRESH_NS and _is_text(place):
            self._write("INSERT OR REPLACE INTO looks VALUES (?, ?, ?)", [(place, *look)])

    def keep(self, files: Iterable[tuple[Local, str]], *, read_at_ns: int) -> None:
        """Remember hashes; not of files so fresh that a change now could go unseen."""
        rows = (
            (*file, sha256)
            for file, sha256 in files
            if file.changed_ns < read_at_ns - TOO_FRESH_NS and _is_text(file.path)
        )
        self._write("INSERT OR REPLACE INTO files VALUES (?,?,?,?,?,?)", rows)

    def upload(self, portal: str, dataset: str, sha256: str) -> str:
        """Give the address of an upload of these bytes that was not finished."""
        row = self.connection.execute(
            "SELECT address FROM uploads WHERE portal = ? AND dataset = ? AND sha256 = ?",
            (portal, dataset, sha256),
        ).fetchone()
        return str(row[0]) if row else ""

    def begin_upload(self, portal: str, dataset: str, sha256: str, address: str) -> None:
        row = (portal, dataset, sha256, address)
        self._write("INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?)", [row])

    def end_upload(self, portal: str, dataset: str, sha256: str) -> None:
        self._write(
            "DELETE FROM uploads WHERE portal = ? AND dataset = ? AND sha256 = ?",
            [(portal, dataset, sha256)],
        )

    def _write(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Write, unless the disk is full or another keeps writing: nothing depends on it."""
        with suppress(sqlite3.OperationalError), self.connection:
            self.connection.executemany(statement, rows)


def place_of(sources: Sequence[str], exclude: Sequence[str], *, is_whole: bool) -> str:
    """Name what was pushed, as one word; `is_whole`: and nothing beside it is to be there."""
    return "\0".join([*sources, "", *exclude, "", "whole" if is_whole else ""])


def folder() -> str:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    return f"{base}/fabriek"


def place() -> str:
    """Give each portal its own: some hashes are what it said, not for another to be told."""
    portal = hashlib.sha256(config.read().url.encode()).hexdigest()
    return f"{folder()}/files-{portal[:16]}.sqlite3"


@contextmanager
def opened() -> Iterator[Index]:
    """Open the index; a damaged one is begun anew, and without a folder it lives in memory."""
    with closing(_connected()) as connection:
        yield Index(connection)


def _connected() -> sqlite3.Connection:
    for _try in range(2):
        try:
            os.makedirs(folder(), mode=0o700, exist_ok=True)  # noqa: PTH103
            # Threads take turns: each statement stands alone.
            connection = sqlite3.connect(place(), timeout=WAIT_S, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            return _made(connection)
        except (OSError, sqlite3.OperationalError):  # full, not ours to write, or in use
            break
        except sqlite3.DatabaseError:  # damaged
            for end in ("", "-wal", "-shm"):
                with suppress(OSError):
                    os.unlink(place() + end)  # noqa: PTH108
    return _made(sqlite3.connect(":memory:", check_same_thread=False))


def _made(connection: sqlite3.Connection) -> sqlite3.Connection:
    (form,) = connection.execute("PRAGMA user_version").fetchone()
    if form != FORM:
        connection.executescript(MAKE)
    return connection


def _is_text(path: str) -> bool:
    """Tell whether a database takes it: names of old archives are no UTF-8."""
    return path.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in path)

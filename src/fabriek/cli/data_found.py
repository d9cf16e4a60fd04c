"""The files of this computer, found and named as a dataset names them; none is opened.

It loads no library of the commands: see `data_unchanged`.
"""

import hashlib
import marshal
import os
import time
import unicodedata
from collections.abc import Sequence
from operator import attrgetter
from stat import S_ISDIR, S_ISREG
from typing import NamedTuple

from fabriek.cli.data_excluded import Excluded, Unfit
from fabriek.cli.data_index import Local, facts

Files = dict[str, Local]
# Of each file its name and the facts of `Local`, one after the other: 20,000 objects would take
# longer to make than their files to look at.
Rows = list[str | int]
WIDTH = 1 + len(Local._fields)


class Look(NamedTuple):
    """What the folders said of all that was named, at one moment; `told`: what is left out."""

    sources: list[str]
    exclude: list[str]
    at_ns: int
    rows: Rows
    told: list[str]

    @property
    def names(self) -> list[str]:
        return self.rows[::WIDTH]  # type: ignore[return-value]

    @property
    def sizes(self) -> list[int]:
        return self.rows[2::WIDTH]  # type: ignore[return-value]

    @property
    def file_count(self) -> int:
        return len(self.rows) // WIDTH

    def files(self) -> Files:
        columns = [self.rows[column::WIDTH] for column in range(WIDTH)]
        return {name: Local(*facts) for name, *facts in zip(*columns, strict=True)}

    def fingerprint(self) -> bytes:
        """Put all of it into one word, in some milliseconds.

        marshal's first form, as later ones also tell what else holds an object. Python may
        change it: then it is no word that is known.
        """
        return hashlib.sha256(marshal.dumps(self.rows, 0)).digest()


def look(sources: Sequence[str], exclude: Sequence[str] = ()) -> Look:
    """Name each file as the portal does; none silently takes the place of another.

    Raises: Unfit.
    """
    seen = Look([absolute(each) for each in sources], list(exclude), time.time_ns(), [], [])
    excluded = Excluded(exclude)
    try:
        for source in seen.sources:
            _look_at(source, seen, excluded)
    except OSError as error:
        raise Unfit(f"{error.filename} cannot be read: {error.strerror}.") from error
    seen.told.extend(f"--exclude '{each}' left nothing out." for each in excluded.unused())
    return seen if len(set(seen.names)) == seen.file_count else _without_doubles(seen)


def absolute(source: str) -> str:
    """Write it from the root on. `..` stays, as behind a link it is another folder.

    Raises: Unfit.
    """
    if not source:  # for the system that is where one stands: all of it would be sent
        raise Unfit("A name is empty. Is a variable not set? Name files or folders.")
    try:
        whole = source if source.startswith("/") else f"{os.getcwd()}/{source}"  # noqa: PTH109
    except FileNotFoundError as error:
        raise Unfit("The folder where you stand is gone. Go to another one first.") from error
    return "/" + "/".join(part for part in whole.split("/") if part not in {"", "."})


def _look_at(source: str, seen: Look, excluded: Excluded) -> None:
    stat = os.stat(source)  # noqa: PTH116  pathlib is not loaded yet
    if S_ISDIR(stat.st_mode):
        _look_below(source, seen, excluded)
        return
    if not S_ISREG(stat.st_mode):
        raise Unfit(f"{source} is no ordinary file and no folder. Name one of those.")
    name = unicodedata.normalize("NFC", source.rpartition("/")[2])
    if not excluded.has(name):
        _require_utf8(name)
        seen.rows.extend((name, *facts(source, stat)))


def _look_below(source: str, seen: Look, excluded: Excluded) -> None:
    """Name each file by its path below the folder, as the portal does. Links in it stay out.

    In NFC, as a Mac may keep an é as two signs; and in UTF-8: old archives have it as one byte.
    """
    rows, folders = seen.rows, [(source, "")]
    while folders:
        folder, front = folders.pop()
        inner = []
        for entry in _entries(folder):
            name = front + entry.name
            if not name.isascii():
                name = unicodedata.normalize("NFC", name)
            if excluded and _is_out(entry, name, excluded):
                continue
            if entry.is_file(follow_symlinks=False):
                if not name.isascii():
                    _require_utf8(name)
                rows.append(name)
                rows += facts(entry.path, entry.stat(follow_symlinks=False))
            elif entry.is_dir(follow_symlinks=False):
                inner.append((entry.path, f"{name}/"))
            else:
                kind = "link" if entry.is_symlink() else "device or a pipe"
                seen.told.append(f"{entry.path} is a {kind}: left out.")
        folders += reversed(inner)


def _is_out(entry: "os.DirEntry[str]", name: str, excluded: Excluded) -> bool:
    if entry.is_dir(follow_symlinks=False):
        return excluded.has_all_in(name)
    return excluded.has(name)


def _entries(folder: str) -> "list[os.DirEntry[str]]":
    with os.scandir(folder) as listed:
        return sorted(listed, key=attrgetter("name"))


def _require_utf8(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(name).decode(errors="replace")
        raise Unfit(
            f"The name of {shown} is not written in UTF-8. Rename it, then push again."
        ) from error


def _without_doubles(seen: Look) -> Look:
    """Let the same file stand there once, and refuse two of one name."""
    paths: dict[str, str] = {}
    rows: Rows = []
    for at in range(0, len(seen.rows), WIDTH):
        name, path = str(seen.rows[at]), str(seen.rows[at + 1])
        if paths.get(name, path) != path:
            raise Unfit(
                f"{paths[name]} and {path} would both be called {name}. "
                "Push one folder, or rename one of them."
            )
        if name not in paths:
            rows += seen.rows[at : at + WIDTH]
        paths[name] = path
    return seen._replace(rows=rows)

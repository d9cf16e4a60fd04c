"""The files of this computer, found and named as a dataset names them; none is opened."""

import os
import unicodedata
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

import typer

from fabriek.cli.data_index import Local
from fabriek.cli.ends import stop

Files = dict[str, Local]


def found(sources: list[Path]) -> Files:
    """Name each file as the portal does; none silently takes the place of another."""
    files: Files = {}
    for source in sources:
        for given, file in _in(source):
            name = given if given.isascii() else _as_the_portal(given)
            there = files.setdefault(name, file)
            if there.path != file.path:
                stop(
                    f"{there.path} and {file.path} would both be called {name}. "
                    "Push one folder, or rename one of them."
                )
    return files


def _as_the_portal(name: str) -> str:
    """Name it in UTF-8 and NFC: a Mac may keep an é as two signs, old archives as one byte."""
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(name).decode(errors="replace")
        stop(f"The name of {shown} is not written in UTF-8. Rename it, then push again.")
    return unicodedata.normalize("NFC", name)


def _in(source: Path) -> Iterator[tuple[str, Local]]:
    """Give each file its own name, or its path below a folder. Links in it stay out."""
    if source.is_file():
        yield source.name, Local.of(str(source), source.stat())
        return
    if not source.is_dir():
        stop(f"{source} is no ordinary file and no folder. Name one of those.")
    yield from _below(str(source), "")


def _below(folder: str, front: str) -> Iterator[tuple[str, Local]]:
    try:
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=attrgetter("name"))
    except OSError as error:
        stop(f"{folder} cannot be read: {error.strerror}.")
    for entry in entries:
        if entry.is_file(follow_symlinks=False):
            yield front + entry.name, Local.of(entry.path, entry.stat(follow_symlinks=False))
        elif entry.is_dir(follow_symlinks=False):
            yield from _below(entry.path, f"{front}{entry.name}/")
        elif entry.is_symlink():
            typer.echo(f"{entry.path} is a link: left out.", err=True)
        else:
            typer.echo(f"{entry.path} is a device or a pipe: left out.", err=True)

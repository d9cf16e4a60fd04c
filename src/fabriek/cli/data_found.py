"""The files of this computer, found and named as a dataset names them; none is opened."""

import os
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

import typer

from fabriek.cli.data_index import Local
from fabriek.cli.ends import stop

Files = dict[str, Local]


def found(sources: list[Path]) -> Files:
    """Name each file, and never let one silently take the place of another."""
    files: Files = {}
    for source in sources:
        some = dict(_in(source))
        for name in files.keys() & some.keys():
            if files[name].path != some[name].path:
                stop(
                    f"{files[name].path} and {some[name].path} would both be called {name}. "
                    "Push one folder."
                )
        files |= some
    return files


def _in(source: Path) -> Iterator[tuple[str, Local]]:
    """Give each file its own name, or its path below a folder. Links in it stay out."""
    if source.is_file():
        yield source.name, Local.of(str(source), source.stat())
        return
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

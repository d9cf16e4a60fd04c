"""Files that lie on our disk already: how they are opened, and how much of them is read."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from django.utils.translation import gettext as _

from fabriek.kernel import strange
from fabriek.kernel.errors import Invalid
from fabriek.store.incoming import CHUNK_BYTES
from fabriek.store.paths import shortened


@contextmanager
def opened(path: Path, within: strange.Place | None = None) -> Iterator[BufferedReader]:
    """Open a plain file; a link could point at anybody's secrets, a pipe would never end."""
    if within is not None:
        with _opened_within(path, within) as file:
            yield file
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if path.is_symlink() or not path.is_file():
            raise no_plain_file(path) from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise no_plain_file(path)
        with open(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


@contextmanager
def _opened_within(path: Path, within: strange.Place) -> Iterator[BufferedReader]:
    try:
        with strange.opened(within, path.relative_to(within.folder).as_posix()) as file:
            if strange.is_hollow(file.fileno()):
                raise hollow(path)
            yield file
    except strange.Untrusted as error:
        raise no_plain_file(path) from error


def first_bytes(file: BufferedReader, size_bytes: int) -> Iterator[bytes]:
    """Give no more than that: a job may let a file grow for as long as we read it."""
    left = size_bytes
    while left and (chunk := file.read(min(left, CHUNK_BYTES))):
        left -= len(chunk)
        yield chunk


def no_plain_file(path: Path) -> Invalid:
    return Invalid(
        _("“%(name)s” is not a plain file. Put the file itself there, not a link to it.")
        % {"name": shortened(path.name)},
        code="no_plain_file",
    )


def still_changing(path: Path) -> Invalid:
    return Invalid(
        _("“%(name)s” changed while it was read. Wait until it is finished and try again.")
        % {"name": shortened(path.name)},
        code="still_changing",
    )


def hollow(path: Path) -> Invalid:
    return Invalid(
        _(
            "“%(name)s” consists mostly of holes: it says to be far larger than what is "
            "in it. Save it again."
        )
        % {"name": shortened(path.name)},
        code="hollow_file",
    )

"""Copies of the store's files for a program that no wall keeps from changing them."""

import os
import shutil
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from fabriek.kernel.errors import StorageFull
from fabriek_recipes.facts import HEADER_BYTES_MAX, PICKLES

WEIGHTS = ".safetensors"
LENGTH_BYTES = 8


def make(place: Path) -> bool:
    """Put a copy in the place of each link, of weights no more than is read of them.

    Tells whether that is done: not where it is more than such a program may fill of the disk.

    Raises: StorageFull.
    """
    wanted = list(_links(place))
    if sum(size for _path, size in wanted) > settings.LOOK_DISK_BYTES:
        return False
    try:
        for path, size in wanted:
            _copy(path, size)
    except OSError as error:
        raise StorageFull(
            _("There is no room here to look through these files now. Try again later.")
        ) from error
    return True


def _links(place: Path) -> Iterator[tuple[Path, int]]:
    for path in place.rglob("*"):
        if path.is_file() and path.stat().st_nlink > 1:
            yield path, _read_bytes(path)


def _read_bytes(path: Path) -> int:
    """Say how much of a file is read: of weights the header that names them, or nothing."""
    size = path.stat().st_size
    if path.suffix in PICKLES:
        return 0
    if path.suffix != WEIGHTS:
        return size
    with suppress(OSError, struct.error), path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(LENGTH_BYTES))
        return min(size, LENGTH_BYTES + min(int(length), HEADER_BYTES_MAX))
    return size


def _copy(path: Path, size: int) -> None:
    """Copy the first `size` bytes; the file keeps its length, which takes no room."""
    part = path.with_name(f".{os.urandom(8).hex()}")
    with path.open("rb") as whole, part.open("wb") as begin:
        if size == path.stat().st_size:
            shutil.copyfileobj(whole, begin, 2**20)
        else:
            begin.write(whole.read(size))
        begin.truncate(path.stat().st_size)
    part.replace(path)

"""What a run takes along from the one that it goes on from: its checkpoints, copied."""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from io import BufferedReader
from pathlib import Path, PurePosixPath

from django.conf import settings

from fabriek.engines.base import JobRejected
from fabriek.kernel import strange
from fabriek.runs import kept
from fabriek.store import copies
from fabriek.store.incoming import require_room
from fabriek.store.sources import first_bytes
from fabriek_recipes import run_folder

CHECKPOINTS_MAX = 20_000  # those that a thousand GPUs save have a few files for each
PART = ".checkpoints.part"

log = logging.getLogger(__name__)


def checkpoints(source: strange.Place, folder: Path, *, up_to: int | None) -> None:
    """Copy what an earlier job left to go on from, up to a step.

    Raises: JobRejected, OSError, StorageFull.
    """
    target = folder / run_folder.CHECKPOINTS
    if target.exists():
        return
    part = folder / PART
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    left = settings.OUTPUTS_LIMIT_BYTES
    with suppress(FileNotFoundError, PermissionError, strange.Untrusted):
        for name in (one for one in _left(source) if kept.is_taken(one.name, up_to)):
            left -= _take(source, name, part / name.relative_to(run_folder.CHECKPOINTS), left)
    part.rename(target)


def _left(source: strange.Place) -> Iterator[PurePosixPath]:
    below = run_folder.CHECKPOINTS
    try:
        for name in strange.names_below(source, below, at_most=CHECKPOINTS_MAX):
            yield PurePosixPath(below, name)
    except strange.TooMany as error:
        raise _too_much(source) from error


def _take(source: strange.Place, name: PurePosixPath, target: Path, left: int) -> int:
    """Copy a file of an earlier job, unless that made it into something else; give its size.

    Raises: JobRejected, when it is larger than what is `left` (bytes).
    """
    try:
        with strange.opened(source, name) as there:
            if strange.is_hollow(there.fileno()):
                log.warning("%s of %s is mostly holes: left behind", name, source.folder)
                return 0
            size = os.fstat(there.fileno()).st_size
            if size > left:
                raise _too_much(source)
            _copy(there, target, size)
            return size
    except (strange.Untrusted, PermissionError):
        log.warning(
            "%s of %s is not the job's own or kept from us: left behind", name, source.folder
        )
        return 0


def _copy(there: BufferedReader, target: Path, size: int) -> None:
    """Copy no more than that: another job of the case may let it grow meanwhile."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as here:
        if copies.clone_into(here.fileno(), there.fileno()):
            return
        require_room(target.parent, size)
        for chunk in first_bytes(there, size):
            here.write(chunk)


def _too_much(source: strange.Place) -> JobRejected:
    return JobRejected(
        f"The checkpoints in {source.folder} are more than FABRIEK_OUTPUTS_LIMIT_BYTES, or "
        f"more than {CHECKPOINTS_MAX} files.",
        code="checkpoints_too_large",
    )

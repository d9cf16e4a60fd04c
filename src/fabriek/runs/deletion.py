"""Remove the copies of data that a case may no longer have, and remember what went.

Written down first, then removed, then marked: a factory that is killed anywhere goes on, and
still knows what was there. Only what lies below the folder of a run is touched; the data itself
stays in the store, with its owner.
"""

import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType

from django.utils import timezone

from fabriek.agreements.models import Agreement, Duty
from fabriek.runs import folders, hub_keys, rules
from fabriek.runs.models import Removal, Run
from fabriek.runs.states import RunState
from fabriek.store.models import Revision
from fabriek.store.references import written
from fabriek_recipes import run_folder

log = logging.getLogger(__name__)

TRY_AGAIN = timedelta(minutes=10)
TROUBLE_CHARACTERS = 300
# Where interactive work keeps what people make, see `fabriek_recipes.lab.files`.
WORK = ("work", ".work.part")
What = Removal.What


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """A folder below that of a run which holds, or may hold, the data."""

    what: What
    name: str
    revision: Revision | None = None


def remove_copies(agreement: Agreement, runs: Iterable[Run]) -> bool:
    """Remove what these runs still have of the data; tells whether all of it is gone."""
    for run in runs:
        for copy in _copies(agreement, run):
            _write_down(agreement, run, copy)
    waiting = Removal.objects.filter(agreement=agreement, done_at=None).select_related("run")
    for removal in waiting.order_by("pk"):
        if removal.tried_at is None or removal.tried_at < timezone.now() - TRY_AGAIN:
            _carry_out(removal)
    return not waiting.exists()


def _copies(agreement: Agreement, run: Run) -> Iterator[Copy]:
    """Name what goes.

    The inputs that are of somebody else stay, and so do models that a run made in full: those
    keep the rights recorded with them.
    """
    rows = run.inputs.select_related("revision__repository").order_by("pk")
    for row in rows.filter(revision__repository=agreement.repository_id):
        for name in (row.name, f".{row.name}.part"):
            place = f"{run_folder.INPUTS}/{name}"
            yield Copy(what=What.INPUTS, name=place, revision=row.revision)
    yield Copy(what=What.FETCHED, name=hub_keys.FOLDER)
    for name in (run_folder.CHECKPOINTS, folders.CHECKPOINTS_PART):
        yield Copy(what=What.CHECKPOINTS, name=name)
    if run.state != RunState.SUCCEEDED:
        yield Copy(what=What.OUTPUTS, name=run_folder.OUTPUTS)
    if run.recipe in rules.INTERACTIVE and Duty.DELETE in agreement.duties:
        for name in WORK:
            yield Copy(what=What.WORK, name=name)


def _write_down(agreement: Agreement, run: Run, copy: Copy) -> None:
    place = run.folder / copy.name
    if not os.path.lexists(place):
        return
    if Removal.objects.filter(agreement=agreement, run=run, name=copy.name).exists():
        return
    files, size_bytes = _counted(place)
    revision = copy.revision
    Removal.objects.get_or_create(
        agreement=agreement,
        run=run,
        name=copy.name,
        defaults={
            "what": copy.what,
            "reference": written(revision) if revision else "",
            "digest": revision.digest if revision else "",
            "files": files,
            "size_bytes": size_bytes,
        },
    )


def _counted(place: Path) -> tuple[int, int]:
    """Count files and bytes, as far as we may look; no link is followed."""
    files = size_bytes = 0
    for at, _folders, names in os.walk(place):
        for name in names:
            try:
                size_bytes += (Path(at) / name).lstat().st_size
            except OSError:
                continue
            files += 1
    return files, size_bytes


def _carry_out(removal: Removal) -> None:
    now = timezone.now()
    rows = Removal.objects.filter(pk=removal.pk, done_at=None)
    try:
        remove(removal.run.folder / removal.name)
    except OSError as error:
        log.exception(
            "%s of %s, whose agreement is over, cannot be removed.", removal.name, removal.run
        )
        rows.update(tried_at=now, trouble=str(error)[:TROUBLE_CHARACTERS])
        return
    rows.update(tried_at=now, done_at=now, trouble="")


def remove(place: Path) -> None:
    """Remove a folder; a link or file that a job put in its place goes, not what it points at.

    Raises: OSError, when something is left.
    """
    if place.is_symlink() or place.is_file():
        place.unlink(missing_ok=True)
        return
    shutil.rmtree(place, onerror=_unless_gone)


def _unless_gone(
    _function: Callable[..., object],
    _path: str,
    info: tuple[type[BaseException], BaseException, TracebackType],
) -> None:
    """Let another loop be quicker."""
    error = info[1]
    if not isinstance(error, FileNotFoundError):
        raise error

"""The portal's side of the run folder: prepare it before the job starts, read it after."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from django.utils.translation import gettext as _

from fabriek import VERSION
from fabriek.engines.base import JobHeldUp, JobRejected
from fabriek.kernel import strange
from fabriek.kernel.errors import Refused, StorageFull
from fabriek.runs import hub_keys, taken_along, tried, trusting, walls
from fabriek.runs.models import Run
from fabriek.store import actions as store
from fabriek.store.base import Brought, StoreDown
from fabriek.store.models import Revision
from fabriek.store.references import written
from fabriek_recipes import run_folder
from fabriek_recipes.kinds import InputKind
from fabriek_recipes.run_folder import InputRef, Limits, Manifest
from fabriek_recipes.try_model.knobs import RECIPE as TRY_MODEL
from fabriek_recipes.try_model.lines import QUESTIONS

LOG_TAIL_BYTES = 16_384
LOG_PIECE_BYTES = 65_536
REPORT_BYTES_MAX = 4 * 2**20
LOCK = ".preparing"


class Busy(Exception):
    """Another process makes this folder ready at this moment."""


class OnItsWay(JobHeldUp):
    """What the run works on is still being brought from a store far away."""

    def __init__(self, brought: Brought) -> None:
        said = f"{brought.done_bytes} of {brought.total_bytes} bytes of its data are here."
        super().__init__(said, code="data_on_its_way")
        self.brought = brought


def prepare(run: Run) -> Path:
    """Lay out the folder: inputs by link, checkpoints of the run it continues, the manifest.

    The manifest is written last and whole: a folder that has one is ready, so that doing this
    again after a crash is harmless. Then the account that the job will have is let in.

    Raises:
        Busy: another process is at it; large inputs may take longer than a claim lasts.
        JobHeldUp: the job's account cannot be let in, or the store does not answer.
        OnItsWay: its data is being brought near; ask again.
        JobRejected: the run it continues left far more than the factory copies.
        OSError, StorageFull: the folder cannot be made. Nothing of what was laid out is left,
            so that it does not fill the disk any longer.
    """
    folder, account = run.folder, run.unix_account
    if is_ready(run) and (not account or walls.is_in(folder, account)):
        return folder
    walls.raise_around(folder)
    with alone(folder):
        if not is_ready(run):
            _lay_out_or_clear(run, folder)
        if account:
            walls.let_in(folder, account)
    return folder


def place(run: Run) -> strange.Place:
    """Say where the job of a run worked, for whoever reads what it left there."""
    return strange.Place(folder=run.folder, account=run.unix_account)


def is_ready(run: Run) -> bool:
    """Tell whether the run may have been sent: only a folder with a manifest is."""
    return (run.folder / run_folder.MANIFEST).exists()


def _lay_out_or_clear(run: Run, folder: Path) -> None:
    try:
        _lay_out(run, folder)
    except (OSError, StorageFull, JobRejected):
        _clear(folder)
        raise


def _lay_out(run: Run, folder: Path) -> None:
    inputs = list(run.inputs.select_related("revision__repository"))
    _bring_near(item.revision for item in inputs)
    for item in inputs:
        target = folder / run_folder.INPUTS / item.name
        if not target.exists():
            _materialise_whole(item.revision, target)
    if run.continues:
        taken_along.checkpoints(place(run.continues), folder, up_to=run.continues_step)
    hub_keys.write(run, folder)
    trusting.write(folder)
    if run.recipe == TRY_MODEL.name:
        (folder / QUESTIONS).touch()  # before a job could put something of its own there
    run_folder.write_manifest(folder, _manifest(run, {i.name: i.revision for i in inputs}))


def _bring_near(revisions: Iterable[Revision]) -> None:
    try:
        brought = store.bring(revisions)
    except StoreDown as error:
        raise JobHeldUp(str(error), code=error.code) from error
    if not brought.is_ready:
        raise OnItsWay(brought)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system takes back from a process that is killed."""
    with (folder / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            raise Busy(str(folder)) from held
        yield


def _clear(folder: Path) -> None:
    for name in (run_folder.INPUTS, taken_along.PART, run_folder.CHECKPOINTS):
        shutil.rmtree(folder / name, ignore_errors=True)


@contextmanager
def laid_out(inputs: dict[str, Revision]) -> Iterator[dict[str, Path]]:
    """Show inputs as folders for a moment, to look at before a run is asked for.

    Raises: Refused, while they are being brought from a store far away.
    """
    brought = store.bring(inputs.values())
    if not brought.is_ready:
        raise still_coming(brought)
    with TemporaryDirectory(prefix=".look-", dir=walls.home()) as place:
        paths = {name: Path(place) / name for name in inputs}
        for name, revision in inputs.items():
            store.materialise(revision, paths[name])
        yield paths


def still_coming(brought: Brought) -> Refused:
    percent = 100 * brought.done_bytes // max(1, brought.total_bytes)
    return Refused(
        _(
            "The data is being brought from the store to the machine, to be looked through "
            "first: %(percent)d%% of it is here. Try again in a minute."
        )
        % {"percent": percent},
        code="data_on_its_way",
    )


def has_checkpoint(run: Run) -> bool:
    try:
        with (
            strange.descended(place(run), run_folder.CHECKPOINTS) as (inside, _account),
            os.scandir(inside) as entries,
        ):
            return next(entries, None) is not None
    except OSError:
        return False


def log_tail(run: Run, *, max_bytes: int = LOG_TAIL_BYTES) -> str:
    """Give the end of what the process said, cut at a whole line."""
    try:
        with strange.opened(place(run), run_folder.LOG) as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - max_bytes))
            text = file.read(max_bytes).decode("utf-8", "replace")
    except OSError:
        return ""
    # A bar that shows progress writes one endless line.
    return text if size <= max_bytes else text.partition("\n")[2] or text


def log_bytes(run: Run) -> int:
    return strange.size_bytes(place(run), run_folder.LOG)


def log_piece(run: Run, offset: int) -> tuple[str, int]:
    """Give what the process said from byte `offset` on, and the offset to continue at.

    Ends after a whole line where there is one, so that no character is ever cut in two.
    """
    try:
        with strange.opened(place(run), run_folder.LOG) as file:
            file.seek(offset)
            piece = file.read(LOG_PIECE_BYTES)
    except OSError:
        return "", offset
    whole = piece[: piece.rfind(b"\n") + 1]
    if not whole and (len(piece) == LOG_PIECE_BYTES or not run.is_unfinished):
        whole = piece  # one endless line, or the last words without a line end
    return whole.decode("utf-8", "replace"), offset + len(whole)


def report(run: Run) -> dict[str, object]:
    """Read the final facts of a run; nothing when there are none, or no readable ones."""
    try:
        with strange.opened(place(run), run_folder.REPORT) as file:
            text = file.read(REPORT_BYTES_MAX + 1)
        found = json.loads(text) if len(text) <= REPORT_BYTES_MAX else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _materialise_whole(revision: Revision, target: Path) -> None:
    # Under another name first: a folder with its final name is complete, also after kill -9.
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    store.materialise(revision, part)
    part.rename(target)


def _manifest(run: Run, inputs: dict[str, Revision]) -> Manifest:
    return Manifest(
        key=run.key,
        recipe=run.recipe,
        knobs=run.knobs,
        inputs={
            name: InputRef(
                kind=cast("InputKind", revision.repository.kind),
                revision=written(revision),
                path=f"{run_folder.INPUTS}/{name}",
            )
            for name, revision in inputs.items()
        },
        seed=run.seed,
        limits=Limits(
            gpus=run.gpus,
            timeout_s=run.timeout_s,
            steps_max=tried.STEPS if run.is_dry else 0,
            until_share=run.until_share,
        ),
        code_version=VERSION,
        continues=run.continues.key if run.continues else "",
    )

"""The portal's side of the run folder: prepare it before the job starts, read it after."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings

from fabriek import VERSION
from fabriek.runs.models import Run
from fabriek.store import actions as store
from fabriek.store.models import Revision
from fabriek.store.references import written
from fabriek_recipes import run_folder
from fabriek_recipes.run_folder import InputRef, Limits, Manifest

LOG_TAIL_BYTES = 16_384
REPORT_BYTES_MAX = 4 * 2**20


def prepare(run: Run) -> Path:
    """Lay out the folder: inputs by link, checkpoints of the run it continues, the manifest.

    The manifest is written last and whole: a folder that has one is ready, so that doing this
    again after a crash is harmless.
    """
    folder = run.folder
    if (folder / run_folder.MANIFEST).exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    inputs = list(run.inputs.select_related("revision__repository"))
    for item in inputs:
        target = folder / run_folder.INPUTS / item.name
        if not target.exists():
            _materialise_whole(item.revision, target)
    if run.continues:
        _take_checkpoints(run.continues.folder, folder)
    run_folder.write_manifest(folder, _manifest(run, {i.name: i.revision for i in inputs}))
    return folder


@contextmanager
def laid_out(inputs: dict[str, Revision]) -> Iterator[dict[str, Path]]:
    """Show inputs as folders for a moment, to look at before a run is asked for."""
    settings.RUNS_HOME.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".look-", dir=settings.RUNS_HOME) as place:
        paths = {name: Path(place) / name for name in inputs}
        for name, revision in inputs.items():
            store.materialise(revision, paths[name])
        yield paths


def has_checkpoint(run: Run) -> bool:
    return any((run.folder / run_folder.CHECKPOINTS).glob("*"))


def log_tail(run: Run, *, max_bytes: int = LOG_TAIL_BYTES) -> str:
    """Give the end of what the process said, cut at a whole line."""
    try:
        with (run.folder / run_folder.LOG).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - max_bytes))
            text = file.read(max_bytes).decode("utf-8", "replace")
    except OSError:
        return ""
    return text if size <= max_bytes else text.partition("\n")[2]


def report(run: Run) -> dict[str, object]:
    """Read the final facts of a run; nothing when there are none, or no readable ones."""
    path = run.folder / run_folder.REPORT
    try:
        if path.is_symlink() or path.stat().st_size > REPORT_BYTES_MAX:
            return {}
        found = json.loads(path.read_bytes())
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


def _take_checkpoints(source: Path, folder: Path) -> None:
    found = source / run_folder.CHECKPOINTS
    target = folder / run_folder.CHECKPOINTS
    if found.is_dir() and not target.exists():
        shutil.copytree(found, target.with_name(".checkpoints.part"), dirs_exist_ok=True)
        target.with_name(".checkpoints.part").rename(target)


def _manifest(run: Run, inputs: dict[str, Revision]) -> Manifest:
    return Manifest(
        key=run.key,
        recipe=run.recipe,
        knobs=run.knobs,
        inputs={
            name: InputRef(
                kind=revision.repository.kind,
                revision=written(revision),
                path=f"{run_folder.INPUTS}/{name}",
            )
            for name, revision in inputs.items()
        },
        seed=run.seed,
        limits=Limits(gpus=run.gpus, timeout_s=run.timeout_s),
        code_version=VERSION,
    )

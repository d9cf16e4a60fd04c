"""The files of interactive work: `work/` in the run folder, begun from an earlier one."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from fabriek_recipes.run_folder import INPUTS, Manifest
from fabriek_recipes.words import Failed, _

WORK = "work"
PART = ".work.part"


def lay_out(folder: Path, manifest: Manifest) -> Path:
    """Make the folder to work in, once: with the files of the run that is continued.

    The job copies them itself, so that what somebody made there (a link to elsewhere) is read
    with the rights of the job and not with those of the portal.
    """
    work = folder / WORK
    if not work.exists():
        part = folder / PART
        shutil.rmtree(part, ignore_errors=True)
        if manifest.continues:
            _copy(folder.parent / manifest.continues / WORK, part)
        else:
            part.mkdir()
        part.rename(work)
    _point_at_inputs(folder, work)
    return work


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copytree(source, target, symlinks=True, ignore=_left_behind)
    except (OSError, shutil.Error) as why:
        raise Failed(
            "no_earlier_files",
            _("The files of the earlier session cannot be copied; begin without them."),
        ) from why


def _left_behind(folder: str, names: list[str]) -> set[str]:
    """Leave out what is no file: pipes and sockets of programs that are gone."""
    paths = {name: Path(folder) / name for name in names}
    return {
        name
        for name, path in paths.items()
        if not (path.is_symlink() or path.is_file() or path.is_dir())
    }


def _point_at_inputs(folder: Path, work: Path) -> None:
    """Show the inputs beside the work; a name that is taken is left to its owner."""
    place = work / INPUTS
    if place.is_symlink():  # of the session that these files came from
        place.unlink()
    if (folder / INPUTS).is_dir():
        with suppress(FileExistsError):
            place.symlink_to(f"../{INPUTS}")

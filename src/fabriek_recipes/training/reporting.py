"""Leaves files and the final report where others can read them; light, without torch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

from fabriek_recipes.events import Json, finite
from fabriek_recipes.run_folder import REPORT, write_whole

# safetensors writes files only their owner may read. The portal may have another account: it
# counts as the group, and nobody else comes past the folder of the run.
FILE_MODE, FOLDER_MODE = 0o640, 0o770


def whole(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a folder aside, and put it in place only when that went well."""
    aside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        write(aside)
        aside.chmod(FOLDER_MODE)
        for path in aside.rglob("*"):
            path.chmod(FOLDER_MODE if path.is_dir() else FILE_MODE)
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def add(run_folder: Path, facts: Mapping[str, Json]) -> None:
    """Put facts in the report that is there; where there is none, nothing is to be added to."""
    try:
        told = json.loads((run_folder / REPORT).read_text())
    except (OSError, ValueError):
        return
    _write(run_folder, {**told, **facts})


def report(run_folder: Path, facts: Mapping[str, Json], *packages: str) -> None:
    """Write the final facts of the run, with the versions of the packages that made them."""
    versions: dict[str, Json] = {name: version(name) for name in packages}
    _write(run_folder, {**facts, "versions": versions})


def _write(run_folder: Path, facts: Mapping[str, Json]) -> None:
    text = json.dumps(finite(dict(facts)), indent=2, ensure_ascii=False, allow_nan=False)
    write_whole(run_folder / REPORT, text)
    (run_folder / REPORT).chmod(FILE_MODE)

"""Which files of a run's outputs make the model, and which are never taken."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from itertools import islice
from math import prod
from pathlib import Path, PurePosixPath

from fabriek.kernel import strange
from fabriek.registry.reasons import NoModel
from fabriek_recipes import run_folder

# Formats that only hold data. Anything that could run code when it is opened stays out.
TAKEN = {".safetensors", ".json", ".txt", ".model", ".md", ".jinja"}
TAKEN_NAMES = {"LICENSE", "LICENCE", "NOTICE"}
PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"}
FOLDERS = {"model": "", "adapter": "adapter/"}
CONFIG = "config.json"
WEIGHTS = ".safetensors"
INDEX = "model.safetensors.index.json"
FILES_MAX = 2_000
JSON_BYTES_MAX = 64 * 2**20
HEADER_BYTES_MAX = 100_000_000  # the format's own limit
WRONG = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The files of a model by the name they get in its repository, and how large it is.

    All lie below `within`, where a job may still play tricks with them.
    """

    within: Path
    files: dict[str, Path]
    parameters: int


def model_files(folder: Path) -> Found:
    """Name the files of the model a run made, as they will stand in its repository.

    Raises:
        NoModel: no whole model is there, a pickle, a link, or a file of another kind.
    """
    found: dict[str, Path] = {}
    for name, prefix in FOLDERS.items():
        found |= _below(folder, f"{run_folder.OUTPUTS}/{name}", prefix)
    return _checked(folder, found)


def plain_files(folder: Path) -> Found:
    """Name the files of a model that lies in a folder of its own. Raises: NoModel, as above."""
    return _checked(folder, _below(folder, ".", ""))


def _below(within: Path, below: str, prefix: str) -> dict[str, Path]:
    """Name every file; hidden ones are what other tools left there, not the model's."""
    try:
        names = [*islice(strange.names_below(within, below), FILES_MAX + 1)]
    except strange.Untrusted as error:
        raise NoModel("no_plain_file", PurePosixPath(below).name) from error
    except FileNotFoundError:
        return {}
    if len(names) > FILES_MAX:
        raise NoModel("too_many_files")
    return {
        f"{prefix}{name.as_posix()}": within / below / name
        for name in sorted(names)
        if not any(part.startswith(".") for part in name.parts)
    }


def _checked(within: Path, files: dict[str, Path]) -> Found:
    for name, path in files.items():
        _check_kind(name, path, within)
    for name in _needed(files, within):
        if name not in files:
            raise NoModel("no_model", name)
    if not isinstance(_json(CONFIG, files[CONFIG], within), dict):
        raise NoModel("broken_file", CONFIG)
    weights = {name: path for name, path in files.items() if path.suffix.lower() == WEIGHTS}
    sizes = {name: _parameters(name, path, within) for name, path in weights.items()}
    whole = sum(size for name, size in sizes.items() if "/" not in name)
    return Found(within=within, files=files, parameters=whole)


def _check_kind(name: str, path: Path, within: Path) -> None:
    with _opened(name, path, within):
        suffix = path.suffix.lower()
    if suffix in PICKLES:
        raise NoModel("pickle", name)
    if suffix not in TAKEN and PurePosixPath(name).name not in TAKEN_NAMES:
        raise NoModel("unknown_file", name)


@contextmanager
def _opened(name: str, path: Path, within: Path) -> Iterator[BufferedReader]:
    """Open what a job may have made into a link, or hidden from us."""
    try:
        with strange.opened(within, path.relative_to(within).as_posix()) as file:
            yield file
    except (strange.Untrusted, FileNotFoundError) as error:
        raise NoModel("no_plain_file", name) from error
    except PermissionError as error:
        raise NoModel("unreadable_file", name) from error


def _needed(files: dict[str, Path], within: Path) -> list[str]:
    """Name what a model cannot be without: its configuration, and every part of its weights."""
    if INDEX in files:
        index = _json(INDEX, files[INDEX], within)
        parts = index.get("weight_map") if isinstance(index, dict) else None
        if not isinstance(parts, dict) or not parts:
            raise NoModel("broken_file", INDEX)
        return [CONFIG, *sorted({str(part) for part in parts.values()})]
    whole = [name for name in files if "/" not in name and name.endswith(WEIGHTS)]
    return [CONFIG, whole[0] if whole else f"model{WEIGHTS}"]


def _json(name: str, path: Path, within: Path) -> object:
    with _opened(name, path, within) as file:
        text = file.read(JSON_BYTES_MAX + 1)
    if len(text) > JSON_BYTES_MAX:
        raise NoModel("broken_file", name)
    try:
        found: object = json.loads(text)
    except WRONG as error:
        raise NoModel("broken_file", name) from error
    return found


def _parameters(name: str, path: Path, within: Path) -> int:
    """Count the weights from the header, and see that the file is as long as that says."""
    try:
        with _opened(name, path, within) as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(length, HEADER_BYTES_MAX)))
        tensors = [item for key, item in header.items() if key != "__metadata__"]
        end = max((item["data_offsets"][1] for item in tensors), default=0)
        if 8 + length + end != size:
            raise NoModel("broken_file", name)
        return sum(int(prod(item["shape"])) for item in tensors)
    except WRONG as error:
        raise NoModel("broken_file", name) from error

"""Which files of a run's outputs make the model, and which are never taken."""

import json
from dataclasses import dataclass
from itertools import islice
from math import prod
from pathlib import Path, PurePosixPath

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
    """The files of a model by the name they get in its repository, and how large it is."""

    files: dict[str, Path]
    parameters: int


def model_files(folder: Path) -> Found:
    """Name the files of the model a run made, as they will stand in its repository.

    Raises:
        NoModel: no whole model is there, a pickle, a link, or a file of another kind.
    """
    outputs = folder / run_folder.OUTPUTS
    found: dict[str, Path] = {}
    for name, prefix in FOLDERS.items():
        # A link as a folder would let one run show the files of another.
        if any(place.is_symlink() for place in (outputs, outputs / name)):
            raise NoModel("no_plain_file", name)
        found |= _below(outputs / name, prefix)
    return _checked(found)


def plain_files(folder: Path) -> Found:
    """Name the files of a model that lies in a folder of its own. Raises: NoModel, as above."""
    return _checked(_below(folder, ""))


def _below(folder: Path, prefix: str) -> dict[str, Path]:
    """Name every file; hidden ones are what other tools left there, not the model's."""
    paths = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    named = {path.relative_to(folder): path for path in islice(paths, FILES_MAX + 1)}
    if len(named) > FILES_MAX:
        raise NoModel("too_many_files")
    return {
        f"{prefix}{name.as_posix()}": named[name]
        for name in sorted(named)
        if not any(part.startswith(".") for part in name.parts)
    }


def _checked(files: dict[str, Path]) -> Found:
    for name, path in files.items():
        _check_kind(name, path)
    for name in _needed(files):
        if name not in files:
            raise NoModel("no_model", name)
    if not isinstance(_json(CONFIG, files[CONFIG]), dict):
        raise NoModel("broken_file", CONFIG)
    weights = {name: path for name, path in files.items() if path.suffix.lower() == WEIGHTS}
    sizes = {name: _parameters(name, path) for name, path in weights.items()}
    return Found(files=files, parameters=sum(n for name, n in sizes.items() if "/" not in name))


def _check_kind(name: str, path: Path) -> None:
    if path.is_symlink() or not path.is_file():
        raise NoModel("no_plain_file", name)
    suffix = path.suffix.lower()
    if suffix in PICKLES:
        raise NoModel("pickle", name)
    if suffix not in TAKEN and PurePosixPath(name).name not in TAKEN_NAMES:
        raise NoModel("unknown_file", name)


def _needed(files: dict[str, Path]) -> list[str]:
    """Name what a model cannot be without: its configuration, and every part of its weights."""
    if INDEX in files:
        index = _json(INDEX, files[INDEX])
        parts = index.get("weight_map") if isinstance(index, dict) else None
        if not isinstance(parts, dict) or not parts:
            raise NoModel("broken_file", INDEX)
        return [CONFIG, *sorted({str(part) for part in parts.values()})]
    whole = [name for name in files if "/" not in name and name.endswith(WEIGHTS)]
    return [CONFIG, whole[0] if whole else f"model{WEIGHTS}"]


def _json(name: str, path: Path) -> object:
    if path.stat().st_size > JSON_BYTES_MAX:
        raise NoModel("broken_file", name)
    try:
        found: object = json.loads(path.read_bytes())
    except WRONG as error:
        raise NoModel("broken_file", name) from error
    return found


def _parameters(name: str, path: Path) -> int:
    """Count the weights from the header, and see that the file is as long as that says."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(length, HEADER_BYTES_MAX)))
        tensors = [item for key, item in header.items() if key != "__metadata__"]
        end = max((item["data_offsets"][1] for item in tensors), default=0)
        if 8 + length + end != size:
            raise NoModel("broken_file", name)
        return sum(int(prod(item["shape"])) for item in tensors)
    except WRONG as error:
        raise NoModel("broken_file", name) from error

"""Which files of a run's outputs make the model, and which are never taken."""

import json
import os
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from io import SEEK_END, BufferedReader
from math import prod
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from django.conf import settings

from fabriek.kernel import pickles, strange
from fabriek.registry import makeups
from fabriek.registry.makeups import Opener
from fabriek.registry.reasons import NoModel
from fabriek_recipes import run_folder

# Formats that only hold data. Anything that could run code when it is opened stays out.
TAKEN = {".safetensors", ".json", ".txt", ".model", ".md", ".jinja", ".csv"}
TAKEN_NAMES = {"LICENSE", "LICENCE", "NOTICE"}
# Python's own zip of arrays holds data only: what would run is not read from it unless asked.
ZIPS = {".npz"}
FOLDERS = {"model": "", "adapter": "adapter/"}
CONFIG = "config.json"
WEIGHTS = ".safetensors"
INDEX = "model.safetensors.index.json"
FILES_MAX = 2_000
# DeepSeek-V3, of 91,991 tensors (December 2024), has an index of 9 MiB and headers of 14 MiB
# in all; most models have less than 100 KiB. Each MiB of it costs the loop 0.1 s and 25 MiB.
JSON_BYTES_MAX = 16 * 2**20
HEADERS_BYTES_MAX = 32 * 2**20
SHAPE_MAX, DIMENSION_MAX = 8, 2**40
WEIGHTS_A_BYTE_MAX = 8  # of one bit each
WRONG = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    RecursionError,
    MemoryError,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The files of a model by the name they get in its repository, and how large it is.

    All lie below `within`, where a job may still play tricks with them.
    """

    within: strange.Place
    files: dict[str, Path]
    parameters: int


def model_files(within: strange.Place) -> Found:
    """Name the files of the model a run made, as they will stand in its repository.

    Raises:
        NoModel: no whole model is there, a pickle, a link, a file of another kind, or far more
            than a model has.
    """
    found: dict[str, Path] = {}
    for name, prefix in FOLDERS.items():
        found |= _below(within, f"{run_folder.OUTPUTS}/{name}", prefix)
    return _checked(within, found)


def is_anything(within: strange.Place) -> bool:
    """Tell whether something lies where a model is looked for; what is odd counts as well."""
    try:
        return any(_below(within, f"{run_folder.OUTPUTS}/{name}", "") for name in FOLDERS)
    except NoModel:
        return True


def plain_files(folder: Path) -> Found:
    """Name the files of a model that lies in a folder of its own. Raises: NoModel, as above."""
    within = strange.Place(folder=folder)
    return _checked(within, _below(within, ".", ""))


def _below(within: strange.Place, below: str, prefix: str) -> dict[str, Path]:
    """Name every file; hidden ones are what other tools left there, not the model's."""
    try:
        names = [*strange.names_below(within, below, at_most=FILES_MAX)]
    except strange.Untrusted as error:
        raise NoModel("no_plain_file", PurePosixPath(below).name) from error
    except strange.TooMany as error:
        raise NoModel("too_many_files") from error
    except PermissionError as error:
        closed = error.filename if isinstance(error.filename, str) else below
        raise NoModel("unreadable_file", PurePosixPath(closed).name) from error
    except FileNotFoundError:
        return {}
    return {
        f"{prefix}{name.as_posix()}": within.folder / below / name
        for name in sorted(names)
        if not any(part.startswith(".") for part in name.parts)
    }


def _checked(within: strange.Place, files: dict[str, Path]) -> Found:
    for name, path in files.items():
        _check_kind(name, path, within)
    _check_sizes(files, within)
    opened = partial(_opened_of, files, within)
    return Found(within=within, files=files, parameters=parameters_of(files, opened))


def parameters_of(names: Collection[str], opened: Opener) -> int:
    """Count the weights of a model of these files. Raises: NoModel, when it is not whole."""
    if makeup := makeups.made_of(names, opened):
        makeups.check(makeup, names, opened)
        return 0
    for name in _needed(names, opened):
        if name not in names:
            raise NoModel("no_model", name)
    if not isinstance(_json(CONFIG, opened), dict):
        raise NoModel("broken_file", CONFIG)
    weights = [name for name in names if name.lower().endswith(WEIGHTS)]
    _check_headers(weights, opened)
    sizes = {name: _parameters(name, opened) for name in weights}
    return sum(size for name, size in sizes.items() if "/" not in name)


def require_data_only(name: str, head: bytes = b"") -> None:
    """Refuse what can run code when it is opened, by its name and its beginning.

    A zip may hold anything, as weights of torch do. Raises: NoModel.
    """
    ending = pickles.ending_of(name)
    if ending in pickles.NAMES | {".bin"} or pickles.begins_so(head):
        raise NoModel("pickle", name)
    if head.startswith(pickles.ZIP) and ending not in ZIPS:
        raise NoModel("archive", name)


def _check_kind(name: str, path: Path, within: strange.Place) -> None:
    with _opened(name, path, within) as file:
        require_data_only(name, file.read(pickles.HEAD_BYTES))
    suffix = path.suffix.lower()
    if suffix not in TAKEN and PurePosixPath(name).name not in TAKEN_NAMES:
        raise NoModel("unknown_file", name)


def _check_sizes(files: dict[str, Path], within: strange.Place) -> None:
    """Refuse what the store has no room for, and what only says to be large."""
    left = settings.OUTPUTS_LIMIT_BYTES
    for name, path in files.items():
        with _opened(name, path, within) as file:
            if strange.is_hollow(file.fileno()):
                raise NoModel("hollow_file", name)
            left -= os.fstat(file.fileno()).st_size
    if left < 0:
        raise NoModel("too_large", f"{settings.OUTPUTS_LIMIT_BYTES / 2**30:g} GiB")


def _check_headers(weights: Collection[str], opened: Opener) -> None:
    """Refuse what would keep the loop: all headers together, as there may be many files."""
    left = HEADERS_BYTES_MAX
    for name in weights:
        with opened(name) as file:
            left -= _header_bytes(file)
        if left < 0:
            raise NoModel("broken_file", name)


def _opened_of(
    files: dict[str, Path], within: strange.Place, name: str
) -> AbstractContextManager[BinaryIO]:
    return _opened(name, files[name], within)


@contextmanager
def _opened(name: str, path: Path, within: strange.Place) -> Iterator[BufferedReader]:
    """Open what a job may have made into a link, or hidden from us."""
    try:
        with strange.opened(within, path.relative_to(within.folder).as_posix()) as file:
            yield file
    except (strange.Untrusted, FileNotFoundError) as error:
        raise NoModel("no_plain_file", name) from error
    except PermissionError as error:
        raise NoModel("unreadable_file", name) from error


def _needed(names: Collection[str], opened: Opener) -> list[str]:
    """Name what a model cannot be without: its configuration, and every part of its weights."""
    if INDEX in names:
        index = _json(INDEX, opened)
        parts = index.get("weight_map") if isinstance(index, dict) else None
        if not isinstance(parts, dict) or not parts:
            raise NoModel("broken_file", INDEX)
        return [CONFIG, *sorted({str(part) for part in parts.values()})]
    whole = [name for name in names if "/" not in name and name.endswith(WEIGHTS)]
    return [CONFIG, whole[0] if whole else f"model{WEIGHTS}"]


def _json(name: str, opened: Opener) -> object:
    with opened(name) as file:
        text = file.read(JSON_BYTES_MAX + 1)
    try:
        return _parsed(text)
    except WRONG as error:
        raise NoModel("broken_file", name) from error


def _parsed(text: bytes) -> object:
    """Read JSON of strangers. Raises: what is in `WRONG`."""
    if len(text) > JSON_BYTES_MAX:
        raise ValueError("longer than any model has it")
    found: object = json.loads(text)
    return found


def _parameters(name: str, opened: Opener) -> int:
    """Count the weights from the header, and see that the file is as long as that says."""
    try:
        with opened(name) as file:
            size = file.seek(0, SEEK_END)
            file.seek(0)
            length = _header_bytes(file)
            header = _parsed(file.read(min(length, JSON_BYTES_MAX + 1)))
        return _counted(header, end_of_header=8 + length, size_bytes=size)
    except WRONG as error:
        raise NoModel("broken_file", name) from error


def _header_bytes(file: BinaryIO) -> int:
    return int.from_bytes(file.read(8), "little")


def _counted(header: object, *, end_of_header: int, size_bytes: int) -> int:
    """Raise: what is in `WRONG`, when header and file do not agree."""
    if not isinstance(header, dict):
        raise TypeError("no header")
    tensors = [item for key, item in header.items() if key != "__metadata__"]
    end = max((item["data_offsets"][1] for item in tensors), default=0)
    if end_of_header + end != size_bytes:
        raise ValueError("not as long as it says")
    weights = sum(_weights(item["shape"]) for item in tensors)
    if weights > WEIGHTS_A_BYTE_MAX * size_bytes:
        raise ValueError("more weights than bytes can hold")
    return weights


def _weights(shape: object) -> int:
    """Multiply what a tensor says it is; Python would multiply words, and huge numbers."""
    if not isinstance(shape, list) or len(shape) > SHAPE_MAX:
        raise ValueError("no shape")
    if any(type(one) is not int or not 0 <= one <= DIMENSION_MAX for one in shape):
        raise ValueError("no shape")
    return prod(shape)

"""Models that are no network: of which files each kind consists, and how large these may be.

A closed list. Such a model has a `config.json` that names its kind; it holds no weights, and no
file of another name than the list has, so that nothing can travel along with it.
"""

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import SEEK_END
from pathlib import PurePosixPath
from typing import BinaryIO

from fabriek.registry.reasons import NoModel

# Gives one file by its name, wherever it lies.
Opener = Callable[[str], AbstractContextManager[BinaryIO]]

CONFIG = "config.json"
CONFIG_BYTES_MAX = 16 * 2**20
BESIDE = {"README.md", "LICENSE", "LICENCE", "NOTICE", "LICENSE.txt", "LICENSE.md"}
WRONG = (ValueError, TypeError, AttributeError, RecursionError, MemoryError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A file a model of this kind cannot be without: its size at most, how it begins."""

    bytes_max: int
    begins: bytes = b""


JSON = Part(bytes_max=CONFIG_BYTES_MAX, begins=b"{")
MAKEUPS: Mapping[str, Mapping[str, Part]] = {
    "tabular": {
        CONFIG: JSON,
        # 10,000 trees of 512 leaves for each of 200 labels would be larger; nobody asks these.
        "trees.txt": Part(bytes_max=512 * 2**20, begins=b"tree"),
        "baseline.json": Part(bytes_max=64 * 2**20, begins=b"{"),
    },
    "forecast": {
        CONFIG: JSON,
        "models.json": Part(bytes_max=256 * 2**20, begins=b"{"),
        "forecast.csv": Part(bytes_max=256 * 2**20, begins=b"series,"),
    },
}


def made_of(names: Collection[str], opened: Opener) -> str:
    """Name the kind of a model by its configuration; empty for an ordinary network."""
    if CONFIG not in names:
        return ""
    with opened(CONFIG) as file:
        text = file.read(CONFIG_BYTES_MAX + 1)
    try:
        kind = json.loads(text).get("fabriek", "") if len(text) <= CONFIG_BYTES_MAX else ""
    except WRONG:
        return ""  # told where an ordinary one is looked at
    return kind if isinstance(kind, str) and kind in MAKEUPS else ""


def check(makeup: str, names: Collection[str], opened: Opener) -> None:
    """See that a model of this kind is whole and nothing more. Raises: NoModel."""
    parts = MAKEUPS[makeup]
    for name in parts:
        if name not in names:
            raise NoModel("no_model", name)
    for name in names:
        if name not in parts and PurePosixPath(name).name not in BESIDE:
            raise NoModel("unknown_file", name)
    for name, part in parts.items():
        with opened(name) as file:
            begins = file.read(len(part.begins))
            size_bytes = file.seek(0, SEEK_END)
        if begins != part.begins or size_bytes > part.bytes_max:
            raise NoModel("broken_file", name)

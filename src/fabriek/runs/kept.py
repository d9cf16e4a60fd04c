"""The points that a run kept to go on from: which there are, and which a run takes along."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from fabriek.kernel import strange
from fabriek_recipes import run_folder

# As the training loop names them; other files, such as a tokenizer, belong to every point.
NAME = re.compile(r"step-(\d{1,18})\.safetensors")
NAMES_MAX = 1_000
# What is made again from the data, as large as these are.
SCRATCH = ".scratch"


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    step: int
    size_bytes: int


def checkpoints(place: strange.Place) -> list[Checkpoint]:
    """List what there is to go on from, the newest first; only this can be chosen among."""
    with suppress(OSError):
        return sorted(_found(place), key=lambda one: -one.step)
    return []


def is_taken(name: str, up_to: int | None) -> bool:
    """Tell whether a file goes along to a run that goes on from this step; None: the last."""
    if name.endswith(SCRATCH):
        return False
    found = NAME.fullmatch(name)
    return found is None or up_to is None or int(found[1]) <= up_to


def _found(place: strange.Place) -> Iterator[Checkpoint]:
    below = run_folder.CHECKPOINTS
    for name in strange.names_below(place, below, at_most=NAMES_MAX):
        if found := NAME.fullmatch(str(name)):
            size_bytes = strange.size_bytes(place, f"{below}/{name}")
            yield Checkpoint(step=int(found[1]), size_bytes=size_bytes)

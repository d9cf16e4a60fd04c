"""What own code left for people to read: any file in its outputs, but for its model.

Names are the program's own, so that each is held to the rules for names of files, and nothing
is opened that is no plain file of the job. What is a model goes out by its own page, which
asks what the data it learned from allows.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import PurePosixPath

from fabriek.kernel import strange
from fabriek.kernel.errors import Invalid
from fabriek.runs import folders
from fabriek.runs.models import Run
from fabriek.store import paths
from fabriek_recipes import run_folder

NAMES_MAX = 2_000
NOT_SHOWN = frozenset({"model", "adapter", PurePosixPath(run_folder.REPORT).name})


def listed(run: Run) -> Iterator[tuple[str, int]]:
    """Give name and size of each, in order; none where there is no such folder.

    Raises: TooMany, as so many are better packed in one.
    """
    place = folders.place(run)
    try:
        names = sorted(
            strange.names_below(place, run_folder.OUTPUTS, at_most=NAMES_MAX), key=str
        )
    except strange.TooMany:
        raise
    except OSError:
        return
    for name in names:
        if not is_shown(str(name)):
            continue
        try:
            with strange.opened(place, f"{run_folder.OUTPUTS}/{name}") as file:
                yield str(name), os.fstat(file.fileno()).st_size
        except OSError:
            continue


@contextmanager
def opened(run: Run, name: str) -> Iterator[BufferedReader]:
    """Open one of them. Raises: OSError, when there is no such file to be had."""
    if not is_shown(name):
        raise FileNotFoundError(name)
    with strange.opened(folders.place(run), f"{run_folder.OUTPUTS}/{name}") as file:
        yield file


def is_shown(name: str) -> bool:
    """Tell whether people may fetch it by this name, if it is there."""
    try:
        kept = paths.clean(name)
    except Invalid:
        return False
    return kept == name and name.partition("/")[0] not in NOT_SHOWN

"""Runs a recipe as a process: light start, plain failures, a clean stop on SIGTERM."""

from __future__ import annotations

import errno
import fcntl
import importlib
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from fabriek_recipes.events import Events
from fabriek_recipes.run_folder import (
    CHECKPOINTS,
    EVENTS,
    OUTPUTS,
    REPORT,
    Manifest,
    read_manifest,
)
from fabriek_recipes.words import Failed, _

GOOD, BROKEN, FAILED, BUSY, STOPPED = 0, 1, 2, 3, 128 + signal.SIGTERM

# A run never speaks to the network: what it needs lies in its folder.
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TQDM_DISABLE": "1",
}
# Threads that wait by spinning cost three times the processor time as soon as anything else
# runs on the machine (measured on 2 cores); sleeping costs nothing when it is quiet.
THREADS = {"OMP_WAIT_POLICY": "passive"}
DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

K = TypeVar("K", bound=BaseModel)


class Stopped(BaseException):
    """The engine asked us to stop, and what was learned is saved; nothing may catch this."""


@dataclass(slots=True)
class Stop:
    """Whether SIGTERM came."""

    asked: bool = False

    def check(self) -> None:
        """Stop here if asked to; for work that has nothing to save."""
        if self.asked:
            raise Stopped


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Generic[K]):
    """Everything a recipe is given."""

    folder: Path
    manifest: Manifest
    knobs: K
    events: Events
    stop: Stop = field(default_factory=Stop)

    def input(self, name: str) -> Path:
        """Give the path of an input, or say that it is missing."""
        ref = self.manifest.inputs.get(name)
        path = self.folder / (ref.path if ref else f"inputs/{name}")
        if ref is None or not path.exists():
            raise Failed("no_input", _("The run has no %(name)s; choose one."), name=name)
        return path

    @property
    def outputs(self) -> Path:
        """Where to leave what was made."""
        return self.folder / OUTPUTS

    @property
    def checkpoints(self) -> Path:
        """Where to leave what a resumed run needs."""
        return self.folder / CHECKPOINTS


def main(recipe: str, knobs: type[K], arguments: list[str]) -> int:
    """Run the recipe on the folder named in `arguments`; give the exit code.

    0 good, 2 an expected failure (told in the events), 1 a fault of ours, 143 stopped by
    SIGTERM, 3 when another process is at work in the folder.
    """
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        sys.stderr.write(f"usage: python -m fabriek_recipes.{recipe} RUN_FOLDER\n")
        return FAILED
    os.environ.update(QUIET)
    os.environ.update({name: os.environ.get(name, value) for name, value in THREADS.items()})
    folder = Path(arguments[0]).resolve()
    with Events(folder / EVENTS) as events, _stoppable() as stop:
        if not _alone(events):
            sys.stderr.write("another process is at work in this run folder\n")
            return BUSY
        return _guarded(lambda: _work(recipe, knobs, folder, (events, stop)), events)


def _work(recipe: str, knobs: type[K], folder: Path, ears: tuple[Events, Stop]) -> None:
    events, stop = ears
    events.stage(_("Starting"))
    manifest = read_manifest(folder)
    if manifest.recipe != recipe:
        raise Failed("bad_manifest", _("This run is for another recipe; start it again."))
    job = Job(
        folder=folder,
        manifest=manifest,
        knobs=_checked(knobs, manifest),
        events=events,
        stop=stop,
    )
    if (folder / REPORT).is_file():
        return  # the report is written last: all is done, and starting twice changes nothing
    job.outputs.mkdir(exist_ok=True)
    job.checkpoints.mkdir(exist_ok=True)
    # Only now the heavy packages: a wrong setting must be told in a blink.
    importlib.import_module(f"fabriek_recipes.{recipe}.train").train(job)
    # Three times the weights: too much to leave on a shared disk for nothing.
    shutil.rmtree(job.checkpoints, ignore_errors=True)


def _checked(knobs: type[K], manifest: Manifest) -> K:
    try:
        return knobs.model_validate(dict(manifest.knobs))
    except ValidationError as why:
        first = why.errors()[0]
        raise Failed(
            "bad_knob",
            _("The setting “%(name)s” cannot be used (%(why)s); change it."),
            name=".".join(str(part) for part in first["loc"]),
            why=first["msg"],
        ) from why


def _guarded(work: Callable[[], None], events: Events) -> int:
    """Do the work and turn whatever happens into an exit code and, if need be, one sentence."""
    try:
        work()
    except Stopped:
        return STOPPED
    except Failed as why:
        return _told(events, why, FAILED)
    # The last guard of the process: a bug must end in a sentence and a trace, not in silence.
    except Exception as why:  # noqa: BLE001
        if (known := _known(why)) is not None:
            return _told(events, known, FAILED)
        traceback.print_exc()
        name = type(why).__name__
        text = _("The recipe itself broke (%(name)s); send the log to the helpdesk.")
        return _told(events, Failed("bug", text, name=name), BROKEN)
    return GOOD


def _known(why: Exception) -> Failed | None:
    text = str(why).lower()
    full = isinstance(why, OSError) and why.errno in DISK_FULL
    if full or any(f"os error {number}" in text for number in DISK_FULL):
        return Failed("disk_full", _("The disk is full; make room and start the run again."))
    if isinstance(why, MemoryError) or "out of memory" in text or "allocate memory" in text:
        return Failed(
            "out_of_memory",
            _("Memory ran out; lower “Tokens per step” or choose a smaller model."),
        )
    if isinstance(why, ModuleNotFoundError):
        return Failed(
            "not_installed",
            _("The engine lacks the package %(name)s; ask the helpdesk to install it."),
            name=str(why.name),
        )
    return None


def _told(events: Events, why: Failed, code: int) -> int:
    sys.stderr.write(f"{why.code}: {why.sentence}\n")
    with suppress(OSError):  # the disk may be full: then the log has said it
        events.failure(why.code, why.sentence)
    return code


def _alone(events: Events) -> bool:
    try:
        fcntl.flock(events.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks: the engine's own name check must do
    return True


@contextmanager
def _stoppable() -> Iterator[Stop]:
    stop = Stop()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.asked = True

    before = signal.signal(signal.SIGTERM, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)

"""Runs a recipe as a process: light start, plain failures, a clean stop on SIGTERM."""

from __future__ import annotations

import errno
import faulthandler
import fcntl
import importlib
import math
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar, cast

from pydantic import BaseModel, ValidationError

from fabriek_recipes.events import Events, Silent
from fabriek_recipes.run_folder import (
    CHECKPOINTS,
    EVENTS,
    OUTPUTS,
    REPORT,
    Manifest,
    read_manifest,
)
from fabriek_recipes.training import lean, reporting
from fabriek_recipes.training.energy import Meter
from fabriek_recipes.training.group import (
    ALONE,
    BROKEN,
    BUSY,
    FAILED,
    GOOD,
    STOPPED,
    Alone,
    End,
    Ended,
    Group,
    Seat,
    seat_given,
)
from fabriek_recipes.training.last_words import Room
from fabriek_recipes.training.stopping import Stop, Stopped, listening
from fabriek_recipes.training.trial import Tried
from fabriek_recipes.words import Failed, _

LOG = 2  # stderr, which a program may have closed or replaced
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Generic[K]):
    """Everything a recipe is given."""

    folder: Path
    manifest: Manifest
    knobs: K
    events: Events
    stop: Stop = field(default_factory=Stop)
    group: Group = ALONE

    def input(self, name: str) -> Path:
        """Give the path of an input, or say that it is missing."""
        ref = self.manifest.inputs.get(name)
        path = self.folder / (ref.path if ref else f"inputs/{name}")
        if ref is None or not path.exists():
            raise Failed("no_input", _("The run has no %(name)s; choose one."), name=name)
        return path

    @property
    def is_dry(self) -> bool:
        """Whether it only measures some steps: then nothing is scored."""
        return self.manifest.limits.steps_max > 0

    @property
    def is_part(self) -> bool:
        """Whether it ends before its last step, to go on another time: it makes no model."""
        return self.manifest.limits.until_share < 1

    def last_step(self, steps: int) -> int:
        """Give the step to end at for now, of so many in all; at least one."""
        return max(1, math.ceil(steps * self.manifest.limits.until_share - 1e-9))

    @property
    def outputs(self) -> Path:
        """Where to leave what was made."""
        return self.folder / OUTPUTS

    @property
    def checkpoints(self) -> Path:
        """Where to leave what a resumed run needs."""
        return self.folder / CHECKPOINTS


def main(recipe: str, knobs: type[K], arguments: list[str], *, text_only: bool = False) -> int:
    """Run the recipe on the folder named in `arguments`; give the exit code.

    `text_only`: it needs of transformers what language models need, and starts sooner.

    0 good, 2 an expected failure (told in the events), 1 a fault of ours, 143 stopped by
    SIGTERM, 75 when one of several processes was lost, 3 when another process is at work in the
    folder. Started by torchrun, the processes
    do one run together: all end with the same code, and the first alone writes in the folder.
    """
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        sys.stderr.write(f"usage: python -m fabriek_recipes.{recipe} RUN_FOLDER\n")
        return FAILED
    # A library that breaks says little of where: the log shows what each thread was at.
    if not faulthandler.is_enabled():
        faulthandler.enable(file=LOG)
    os.environ.update(QUIET)
    os.environ.update({name: os.environ.get(name, value) for name, value in THREADS.items()})
    folder, seat = Path(arguments[0]).resolve(), seat_given()
    with listening() as stop, Events(folder / EVENTS) if seat.leads else Silent() as events:
        room = Room(folder)
        group = _group(seat, stop, lambda end: _tell(events, room, end))
        ears = Ears(events, stop, group, room)
        work = partial(_work, recipe, knobs, folder, ears, text_only=text_only)
        code = group.part(_ended(work))
        room.free()
        if seat.size > 1:
            # Not the long way out: torchrun sends SIGTERM as soon as one has ended, and what
            # waits for a lost process inside torch would wait on.
            sys.stderr.flush()
            os._exit(code)
    return code


def _group(seat: Seat, stop: Stop, tell: Callable[[End], None]) -> Group:
    if seat.size == 1:
        return Alone(tell)
    try:
        # Imports torch, which a process alone does only once its settings are found good.
        together = importlib.import_module("fabriek_recipes.training.together")
        return cast("Group", together.join(seat, stop, tell))
    except RuntimeError:
        traceback.print_exc()
        text = _("The processes of this run did not find each other; start the run again.")
        if seat.leads:
            tell(End(FAILED, Failed("not_together", text)))
        sys.exit(FAILED)


@dataclass(frozen=True, slots=True)
class Ears:
    """Who a process speaks and listens to."""

    events: Events
    stop: Stop
    group: Group
    room: Room


def _work(recipe: str, knobs: type[K], folder: Path, ears: Ears, *, text_only: bool) -> int:
    group, events = ears.group, ears.events
    if not group.once(lambda: _alone(events)):
        if group.seat.leads:
            sys.stderr.write("another process is at work in this run folder\n")
        return BUSY
    events.stage(_("Starting"))
    manifest = read_manifest(folder)
    if manifest.recipe != recipe:
        raise Failed("bad_manifest", _("This run is for another recipe; start it again."))
    job = Job(
        folder=folder,
        manifest=manifest,
        knobs=_checked(knobs, manifest),
        events=events,
        stop=ears.stop,
        group=group,
    )
    if group.once((folder / REPORT).is_file):
        return GOOD  # the report is written last: all is done, starting twice changes nothing
    group.once(lambda: _make_room(job, ears.room))
    meter = Meter() if group.seat.leads else None
    try:
        # Only now the heavy packages: a wrong setting must be told in a blink.
        train = lean.read(f"fabriek_recipes.{recipe}.train", text_only=text_only)
        train.train(job)
    except Tried as tried:
        events.measured(**tried.measured)
        group.once(partial(reporting.report, folder, {"dry_run": dict(tried.measured)}))
    finally:
        if meter and (drawn := meter.measured()):
            events.measured(**drawn)
            reporting.add(folder, {"energy": {**drawn, "energy_method": "NVML counter"}})
    if not job.is_part:
        # Three times the weights: too much to leave on a shared disk for nothing.
        group.once(lambda: shutil.rmtree(job.checkpoints, ignore_errors=True))
    return GOOD


def _make_room(job: Job[K], room: Room) -> None:
    room.keep()
    job.outputs.mkdir(exist_ok=True)
    job.checkpoints.mkdir(exist_ok=True)


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


def _ended(work: Callable[[], int]) -> End:
    """Do the work and turn whatever happens into an exit code and, if need be, one sentence."""
    try:
        return End(work())
    except Stopped:
        return End(STOPPED)
    except Ended as elsewhere:
        return elsewhere.end
    except Failed as why:
        return End(FAILED, why)
    # The last guard of the process: a bug must end in a sentence and a trace, not in silence.
    except Exception as why:  # noqa: BLE001
        if (known := _known(why)) is not None:
            return End(FAILED, known)
        traceback.print_exc()
        name = type(why).__name__
        text = _("The recipe itself broke (%(name)s); send the log to the helpdesk.")
        return End(BROKEN, Failed("bug", text, name=name))


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
    # LightGBM leans on the system's own libgomp, which a bare machine lacks.
    if isinstance(why, OSError) and "cannot open shared object" in text:
        return Failed(
            "not_installed",
            _("The engine lacks the package %(name)s; ask the helpdesk to install it."),
            name=text.partition(":")[0][:60],
        )
    return None


def _tell(events: Events, room: Room, end: End) -> None:
    if end.why is None:
        return
    room.free()  # the disk may be full, also that of the log
    with suppress(OSError):
        sys.stderr.write(f"{end.why.code}: {end.why.sentence}\n")
    with suppress(OSError):
        events.failure(end.why.code, end.why.sentence)


def _alone(events: Events) -> bool:
    try:
        fcntl.flock(events.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks: the engine's own name check must do
    return True

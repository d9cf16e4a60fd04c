"""One run of own code from its start to its end: what the folder gets, and what is kept."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fabriek_recipes.events import Events, Json
from fabriek_recipes.run_folder import (
    CHECKPOINTS,
    INPUTS,
    LOG,
    OUTPUTS,
    REPORT,
    Manifest,
)
from fabriek_recipes.script import ending, environment, figures, place, wanted
from fabriek_recipes.script.command import words_of
from fabriek_recipes.script.environment import Environment
from fabriek_recipes.script.knobs import Knobs, environment_file
from fabriek_recipes.script.program import Program
from fabriek_recipes.training import reporting
from fabriek_recipes.training.energy import Meter
from fabriek_recipes.training.group import GOOD, STOPPED
from fabriek_recipes.words import Failed, Sentence, _

METRICS = f"{OUTPUTS}/metrics.json"
FROZEN = f"{OUTPUTS}/environment.txt"
FILE_BITS, FOLDER_BITS = 0o440, 0o550
READ_BY_GROUP_MAX = 100_000
# What programs of the facility would else say to servers elsewhere.
QUIET = {"HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is to be run, and where."""

    folder: Path
    manifest: Manifest
    knobs: Knobs
    events: Events
    program: Program
    node: place.Node

    def is_over(self) -> bool:
        """Tell whether it was asked to stop."""
        return self.program.is_asked_to_stop


def do(work: Work) -> int:
    """Run the program; give the code with which the job ends.

    Stopped well is STOPPED, whatever the program itself ended with: it goes on later.

    Raises:
        Failed: the program cannot be started, or ended badly.
    """
    folder = work.folder
    if (folder / place.ENDED).is_file():
        return GOOD  # starting twice changes nothing
    words = _words(work.knobs)
    code_folder = place.lay_out(folder, work.node, is_over=work.is_over)
    made = _environment(work)
    given = place.told(folder, work.manifest, work.node) | QUIET
    given |= made.told(given)
    meter = Meter() if work.node.leads else None
    follow = figures.Figures(folder / place.FIGURES, work.events)
    log_at = _size(folder / LOG)
    kills = ending.memory_kills()
    work.events.stage(_("Your program runs"))
    try:
        code = work.program.run(
            words, folder=code_folder, environment=given, meanwhile=follow.catch_up
        )
    except OSError as why:
        raise ending.not_started(why, words[0]) from why
    if drawn := meter.measured() if meter else {}:
        work.events.measured(**drawn)
    follow.catch_up(is_last=True)
    if work.program.is_asked_to_stop and code in {0, -signal.SIGTERM, STOPPED}:
        return STOPPED
    if code:
        log = ending.log_since(folder / LOG, log_at)
        ran_out = ending.memory_kills() > kills
        raise Ended(code, ending.told(code, log=log, memory_ran_out=ran_out))
    place.end_together(folder, work.node, is_over=work.is_over)
    if work.node.leads:
        _finish(work, made, follow.latest, drawn=drawn)
    return GOOD


class Ended(Failed):
    """The program ended badly, with this code of its own."""

    def __init__(self, code: int, why: Failed) -> None:
        """Say the same as `why`."""
        super().__init__(why.code, why.sentence.msgid, **why.sentence.values)
        self.status = ending.status(code)


def _words(knobs: Knobs) -> list[str]:
    try:
        return words_of(knobs.command)
    except ValueError as error:
        raise Failed("bad_command", _("The command cannot be read; correct it.")) from error


def _environment(work: Work) -> Environment:
    name = work.knobs.environment.strip()
    if not name:
        return Environment()
    lines = wanted.read(environment_file(work.folder / INPUTS / "code", name))
    work.events.stage(_("Preparing the environment"))
    return environment.of(lines, node=work.node, is_over=work.is_over)


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


# --- what is kept ------------------------------------------------------------------------
def _finish(
    work: Work, made: Environment, latest: Mapping[str, float], *, drawn: Mapping[str, float]
) -> None:
    folder = work.folder
    (folder / OUTPUTS).mkdir(exist_ok=True)  # the program may have taken it away
    work.events.result(figures.scores(folder / METRICS, latest))
    found = environment.frozen(made.python)
    _keep_list(folder / FROZEN, found)
    told: dict[str, Json] = {"command": work.knobs.command, "python": sys.version.split()[0]}
    if drawn:
        told["energy"] = {**drawn, "energy_method": "NVML counter"}
    with suppress(OSError):
        (folder / place.MODEL).rmdir()  # an empty one is no model
    _let_the_portal_read(folder / OUTPUTS)
    versions: dict[str, Json] = dict(environment.versions(found, made.asked))
    _make_way(folder / REPORT, work.events)
    reporting.report(folder, told)
    reporting.add(folder, {"versions": versions})
    (folder / place.ENDED).touch()
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)


def _make_way(path: Path, events: Events) -> None:
    """Move aside what the program left where our report goes, over nothing else of it."""
    if not os.path.lexists(path):
        return
    numbers = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    names = (f"{path.stem}.user{number}{path.suffix}" for number in numbers)
    aside = next(one for one in map(path.with_name, names) if not os.path.lexists(one))
    path.rename(aside)
    text = _(
        "Your program left a file “%(name)s”, a name that the factory needs for its own "
        "report. Yours is kept as “%(kept)s”."
    )
    events.warning("report_moved", Sentence(text, name=path.name, kept=aside.name))


def _keep_list(path: Path, found: Mapping[str, str]) -> None:
    """Write down what was installed, unless the program left something of that name."""
    with suppress(OSError), path.open("x", encoding="utf-8") as file:
        file.writelines(f"{name}=={version}\n" for name, version in found.items())


def _let_the_portal_read(outputs: Path) -> None:
    """Let the group read what safetensors, for one, lets its owner alone; follow no link."""
    left = READ_BY_GROUP_MAX
    for at, _folders, names in os.walk(outputs):
        for path in (Path(at), *(Path(at) / name for name in names)):
            left -= 1
            if left < 0:
                return
            with suppress(OSError):
                if not path.is_symlink():
                    bits = FOLDER_BITS if path.is_dir() else FILE_BITS
                    path.chmod(path.stat().st_mode | bits)

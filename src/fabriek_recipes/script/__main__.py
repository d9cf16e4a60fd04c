"""Starts own code: `python -m fabriek_recipes.script RUN_FOLDER`."""

from __future__ import annotations

import fcntl
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from fabriek_recipes.events import Events, Silent
from fabriek_recipes.run_folder import EVENTS, read_manifest
from fabriek_recipes.script import place
from fabriek_recipes.script.knobs import RECIPE, Knobs
from fabriek_recipes.script.program import Program
from fabriek_recipes.script.work import Ended, Work, do
from fabriek_recipes.training.group import BROKEN, BUSY, FAILED, STOPPED
from fabriek_recipes.words import Failed, _


def main(arguments: list[str]) -> int:
    """Run it; 0 good, the program's own code where it ended badly, 2 where it never began.

    143 stopped by SIGTERM, 3 when another process is at work in the folder, 1 a fault of ours.
    """
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        sys.stderr.write("usage: python -m fabriek_recipes.script RUN_FOLDER\n")
        return FAILED
    folder, node = Path(arguments[0]).resolve(), place.this_node()
    program = Program()
    with Events(folder / EVENTS) if node.leads else Silent() as events:
        if node.leads and not _alone(events):
            sys.stderr.write("another process is at work in this run folder\n")
            return BUSY
        try:
            return _work(folder, events, program, node)
        except Failed as why:
            if program.is_asked_to_stop and not isinstance(why, Ended):
                return STOPPED  # what was being prepared was stopped as well
            sys.stderr.write(f"{why.code}: {why.sentence}\n")
            with suppress(OSError):  # the disk may be full: then the log has said it
                events.failure(why.code, why.sentence)
            return why.status if isinstance(why, Ended) else FAILED
        # The last guard of the process: a bug must end in a trace, not in silence.
        except Exception:  # noqa: BLE001
            traceback.print_exc()
            return BROKEN
        finally:
            program.end_all()


def _work(folder: Path, events: Events, program: Program, node: place.Node) -> int:
    events.stage(_("Starting"))
    manifest = read_manifest(folder)
    if manifest.recipe != RECIPE.name:
        raise Failed("bad_manifest", _("This run is for another recipe; start it again."))
    return do(
        Work(
            folder=folder,
            manifest=manifest,
            knobs=Knobs.model_validate(dict(manifest.knobs)),
            events=events,
            program=program,
            node=node,
        )
    )


def _alone(events: Events) -> bool:
    try:
        fcntl.flock(events.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks: the engine's own name check must do
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

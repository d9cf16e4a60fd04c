"""Starts the lab: `python -m fabriek_recipes.lab RUN_FOLDER`."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path

from fabriek_recipes.events import Events
from fabriek_recipes.lab.knobs import Knobs
from fabriek_recipes.run_folder import EVENTS, read_manifest
from fabriek_recipes.words import Failed, _

FAILED, BROKEN = 2, 1


def main(arguments: list[str]) -> int:
    """Serve until it is stopped; 0 good, 2 an expected failure, 1 a fault of ours."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        sys.stderr.write("usage: python -m fabriek_recipes.lab RUN_FOLDER\n")
        return FAILED
    folder = Path(arguments[0]).resolve()
    with Events(folder / EVENTS) as events:
        events.stage(_("Starting"))
        try:
            return _work(folder, events)
        except Failed as why:
            sys.stderr.write(f"{why.code}: {why.sentence}\n")
            events.failure(why.code, why.sentence)
            return FAILED
        # The last guard of the process: a bug must end in a trace, not in silence.
        except Exception:  # noqa: BLE001
            traceback.print_exc()
            return BROKEN


def _work(folder: Path, events: Events) -> int:
    manifest = read_manifest(folder)
    knobs = Knobs.model_validate(dict(manifest.knobs))
    try:
        # Heavy, and not installed everywhere.
        server = importlib.import_module("fabriek_recipes.lab.server")
    except ModuleNotFoundError as why:
        raise Failed(
            "not_installed",
            _("The engine lacks the package %(name)s; ask the helpdesk to install it."),
            name=str(why.name),
        ) from why
    server.serve(folder, manifest, knobs, events)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Keys by which the job of a run reads from the facility: good for as long as the run lives.

A key is the name of its run, signed by the factory. It is kept in the folder of the run and
nowhere else: not in the database, nor in what the engine tells of a job and its environment.
"""

import os
from pathlib import Path

from django.conf import settings
from django.core import signing

from fabriek.cases.rules import takes_part
from fabriek.runs.models import Run
from fabriek.runs.states import ALIVE
from fabriek_recipes import run_folder

PREFIX = "fbr_"
SALT = "fabriek.runs.hub"
FOLDER = "hub"  # where clients keep what they fetched: it goes when the folder of the run goes


def key_of(run: Run) -> str:
    return PREFIX + _signer().sign(run.key)


def write(run: Run, folder: Path) -> None:
    """Put the key where only the job of this run finds it: nobody else gets in there."""
    path = folder / run_folder.HUB_KEY
    path.unlink(missing_ok=True)
    if run.is_secure:
        return  # it reads what was laid out for it: asking for more would tell of what it reads
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(key_of(run))


def environment(run: Run) -> dict[str, str]:
    """Tell clients of the Hugging Face Hub where the facility is, and where their key lies.

    In the secure part there is none to ask.
    """
    if run.is_secure:
        return {"HF_HUB_OFFLINE": "1", "HF_HOME": str(run.folder / FOLDER)}
    return {
        "HF_ENDPOINT": settings.FACTORY_URL,
        "HF_TOKEN_PATH": str(run.folder / run_folder.HUB_KEY),
        "HF_HOME": str(run.folder / FOLDER),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",  # else each load_dataset asks a server elsewhere
    }


def find(key: str) -> Run | None:
    """Give the run of a key that is still good."""
    if not key.startswith(PREFIX):
        return None
    try:
        name = _signer().unsign(key.removeprefix(PREFIX))
    except signing.BadSignature:
        return None
    living = Run.objects.filter(key=name, state__in=ALIVE, cancel_asked_at=None)
    living = living.filter(is_secure=False)
    run = living.select_related("case", "asked_by").first()
    # Who left may not read any more, and so neither what works for them.
    if run is None or not run.asked_by.is_active or not takes_part(run.asked_by, run.case):
        return None
    return run


def _signer() -> signing.Signer:
    return signing.Signer(salt=SALT, sep=".")

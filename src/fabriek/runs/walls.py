"""Who may come into the folders of runs: the portal, and the account that a run's job has.

    RUNS_HOME        0711    passed by everybody who knows a name, listed by nobody
    RUNS_HOME/<key>  01770   ours; one account more is let in (`kernel.acl`), nobody else

What lies below needs no walls of its own. The sticky bit keeps what we laid out (manifest,
inputs) where it is: the job may remove only what it made. Everything is laid out before the
account is let in, so that nothing of it can be swapped under our hands.
"""

import os
import pwd
import stat
from pathlib import Path

from django.conf import settings

from fabriek.engines.base import JobHeldUp
from fabriek.kernel import acl
from fabriek_recipes import run_folder
from fabriek_recipes.try_model.lines import QUESTIONS

PASSED = 0o711
STICKY = 0o1700
NEW_FOLDER = 0o700
READ, SHARED, SHARED_FILE = 0o755, 0o777, 0o666


def home() -> Path:
    """Make the folder above all runs, if need be, and open the way to it."""
    runs = Path(settings.RUNS_HOME)
    runs.mkdir(mode=PASSED, parents=True, exist_ok=True)
    _set_mode(runs, PASSED)
    return runs


def raise_around(folder: Path) -> None:
    """Make the folder of a run, for us alone."""
    home()
    folder.mkdir(mode=NEW_FOLDER, exist_ok=True)


def is_in(folder: Path, account: str) -> bool:
    """Tell whether the account was let in already. Raises: JobHeldUp, when there is none."""
    return acl.admitted(folder) == uid_of(account)


def let_in(folder: Path, account: str) -> None:
    """Let the job's account into a folder in which all is laid out.

    By one process at a time, and not once it is in: what lies below is then the job's to swap.

    Raises: JobHeldUp, when there is no such account or the file system has no access lists.
    """
    uid = uid_of(account)
    before = acl.admitted(folder)
    if before == uid:
        return
    try:
        if before is None:  # nobody was in it yet: what lies there is still ours
            _open_below(folder)
        folder.chmod(STICKY)
        acl.admit(folder, uid)
    except acl.NoAccessLists as error:
        raise JobHeldUp(
            f"The file system of {settings.RUNS_HOME} has no POSIX access lists, so that no "
            "account of a case can be let in. Put FABRIEK_RUNS on one that has.",
            code="no_access_lists",
        ) from error


def uid_of(account: str) -> int:
    """Find the number of a case's account.

    Raises: JobHeldUp, also when it is root's or our own, which would be no wall at all.
    """
    try:
        uid = pwd.getpwnam(account).pw_uid
    except KeyError as error:
        raise JobHeldUp(
            f"There is no account {account} here.", code="account_missing"
        ) from error
    if uid in {0, os.geteuid()}:
        raise JobHeldUp(
            f"The account {account} has the number of another ({uid}).", code="account_not_ours"
        )
    return uid


def _open_below(folder: Path) -> None:
    for name in (run_folder.MANIFEST, run_folder.HUB_KEY, run_folder.AUTHORITIES):
        if (folder / name).exists():  # one that an older version laid out has less
            (folder / name).chmod(0o444)
    if (folder / QUESTIONS).exists():  # to which we write later, and nobody else
        (folder / QUESTIONS).chmod(0o644)
    for at, _folders, _files in os.walk(folder / run_folder.INPUTS):
        Path(at).chmod(READ)
    for at, _folders, files in os.walk(folder / run_folder.CHECKPOINTS):
        place = Path(at)
        place.chmod(SHARED)
        acl.share(place)
        for name in files:
            (place / name).chmod(SHARED_FILE)


def _set_mode(folder: Path, mode: int) -> None:
    found = folder.stat()
    if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) != mode:
        folder.chmod(mode)

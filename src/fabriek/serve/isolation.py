"""Whether cases are kept apart on this machine: doors that we close, and what an operator must.

The jobs of each case run as an account of this machine, so that all its accounts count as
strangers: they may pass by, to the folder of their own run, and look into nothing else.
"""

import logging
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

import fabriek_recipes
from fabriek.kernel import acl
from fabriek.runs import accounts, walls
from fabriek.serve.findings import Finding

log = logging.getLogger(__name__)

WHAT = "Accounts of cases"
OURS_ALONE, OUR_FILE = 0o700, 0o600
OTHERS_PASS, OTHERS_READ = 0o001, 0o004
ANYBODY_WRITES = 0o022
ONE_FOR_ALL = "set FABRIEK_UNIX_ACCOUNTS=0 to let all cases share one account, unprotected"
SUDO_S = 10
# An account of a case that nobody has: sudo is asked about its name, and nothing is made.
SOMEBODY = "c00-0000"


def close_doors() -> None:
    """Let nobody else of this machine look into what the factory keeps.

    What stays open does not keep the factory from starting: `look` tells of it.
    """
    try:
        walls.home()
        if _is_ours(settings.HOME):
            settings.HOME.chmod(walls.PASSED)
        for path in filter(_is_ours, _kept()):
            path.chmod(OURS_ALONE if path.is_dir() else OUR_FILE)
    except OSError as error:
        log.warning("Not all of %s could be closed to others: %s", settings.HOME, error)


def troubles() -> list[Finding]:
    return [finding for finding in look() if finding.verdict == "lacking"]


def look() -> Iterator[Finding]:
    yield from _doors()
    if not settings.UNIX_ACCOUNTS:
        yield Finding(
            what=WHAT,
            verdict="lacking" if settings.ENGINE == "slurm" else "optional",
            said="none: jobs of all cases run as one account, and can read each other's data",
            mend="Leave out FABRIEK_UNIX_ACCOUNTS=0 where cases must be kept apart."
            if settings.ENGINE == "slurm"
            else "Use FABRIEK_ENGINE=slurm where cases of others run.",
        )
        return
    if settings.ENGINE == "local":
        mend = "Set FABRIEK_ENGINE=slurm, or FABRIEK_UNIX_ACCOUNTS=0."
        yield _lacking("the local engine runs everything as one account", mend)
        return
    wrong = [*_hook(), *_lists(), *_above_runs(), *_ways()]
    yield from wrong or [
        Finding(what=WHAT, verdict="good", said=f"made by {settings.UNIX_HOOK}")
    ]


def _kept() -> Iterator[Path]:
    yield from (settings.STORE_HOME, settings.ENGINE_HOME, Path(settings.EMAIL_FILE_PATH))
    yield settings.HOME / "secret-key"
    yield settings.SIGNING_KEY
    yield from settings.HOME.glob("*.sqlite3*")
    database = settings.DATABASES["default"]
    if str(database["ENGINE"]).endswith("sqlite3"):
        yield from (
            Path(f"{database['NAME']}{end}") for end in ("", "-wal", "-shm", "-journal")
        )


def _is_ours(path: Path) -> bool:
    return path.exists() and path.stat().st_uid == os.geteuid()


def _doors() -> Iterator[Finding]:
    kept = [path for path in _kept() if path.exists()]
    open_to_all = [
        str(path) for path in kept if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    ]
    yield Finding(
        what="Closed to other accounts",
        verdict="lacking" if open_to_all else "good",
        said=f"open: {', '.join(open_to_all)}" if open_to_all else "database, key, store, mail",
        mend="Start the factory once as the owner of these (fabriek up), or chmod go= them.",
    )


def _hook() -> Iterator[Finding]:
    hook = settings.UNIX_HOOK
    if not hook.is_file() or not os.access(hook, os.X_OK):
        yield _lacking(f"there is no program {hook}", "Correct FABRIEK_UNIX_HOOK.")
        return
    # A root that runs code of another owner's tree trusts that owner already.
    trusted = {0} if os.geteuid() else {0, Path(__file__).stat().st_uid}
    if hook.stat().st_uid not in trusted or hook.stat().st_mode & ANYBODY_WRITES:
        mend = "Copy it to a folder of root, and set FABRIEK_UNIX_HOOK to that."
        yield _lacking(f"{hook} runs as root, but others than root can change it", mend)
    if os.geteuid() and not _sudo_allows():
        mend = "Give this account the two lines for sudo that docs/operate shows."
        yield _lacking(f"sudo does not let us run {hook}", mend)


def _sudo_allows() -> bool:
    hook = accounts.hook_words("ensure", f"{settings.UNIX_PREFIX}{SOMEBODY}")
    words = ["sudo", "-n", "-l", "--", *hook]
    try:
        done = subprocess.run(words, capture_output=True, timeout=SUDO_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _lists() -> Iterator[Finding]:
    try:
        with tempfile.TemporaryDirectory(prefix=".look-", dir=walls.home()) as place:
            acl.admit(Path(place), os.geteuid() + 1)
    except OSError as error:
        mend = "Put FABRIEK_RUNS on a file system with POSIX access lists (ext4, XFS, Lustre)."
        yield _lacking(f"{settings.RUNS_HOME} cannot let an account in: {error}", mend)


def _above_runs() -> Iterator[Finding]:
    """Look whether a stranger could put a folder of their own in the place of a run's."""
    runs = Path(settings.RUNS_HOME)
    if not runs.exists():  # said above
        return
    found = runs.stat()
    if found.st_uid != os.geteuid() or found.st_mode & ANYBODY_WRITES:
        mend = f"Make it ours alone to write in: chown it to us, and chmod 711 {runs}."
        yield _lacking(f"others can put something in the place of the folders in {runs}", mend)


def _ways() -> Iterator[Finding]:
    """Look whether strangers can get to the run folders, and use Python and the recipes."""
    shut = {
        folder for folder in Path(settings.RUNS_HOME).parents if not _may(folder, OTHERS_PASS)
    }
    for used in (Path(sys.executable), Path(fabriek_recipes.__file__)):
        for path in (used, used.resolve()):
            shut |= {one for one in path.parents if not _may(one, OTHERS_PASS)}
        if not _may(used, OTHERS_READ):
            shut.add(used)
    if shut:
        named = ", ".join(str(path) for path in sorted(shut))
        mend = f"chmod o+x them (or install elsewhere, and set FABRIEK_HOME); or {ONE_FOR_ALL}."
        yield _lacking(f"jobs cannot get past {named}", mend)


def _may(path: Path, right: int) -> bool:
    try:
        return bool(path.stat().st_mode & right)
    except OSError:
        return False


def _lacking(said: str, mend: str) -> Finding:
    return Finding(what=WHAT, verdict="lacking", said=said, mend=mend)

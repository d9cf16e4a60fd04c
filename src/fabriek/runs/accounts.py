"""The Unix account of a case: there before its first run is sent, made by the site's hook.

The hook is called once for an account in the life of this process, and again when the account
is not there. One that fails is left alone for a minute, for that account; one that is not over
in time for all, so that it does not hold up everybody's runs.
"""

import logging
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from django.conf import settings

from fabriek.engines.base import JobHeldUp
from fabriek.engines.slurm_as import USER

log = logging.getLogger(__name__)

HOOK_S = 20
KILL_S = 5  # between SIGTERM and SIGKILL for a hook that is not over
# What timeout(1) ends with, and sudo around it: it kills itself with the hook.
ENDED_BY_TIMEOUT = {124, 128 + signal.SIGKILL, -signal.SIGKILL}
# By its path: it stands so in the line for sudo.
TIMEOUT = "/usr/bin/timeout"
REST_S = 60
SAID_CHARACTERS = 300
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(slots=True)
class Known:
    """What this process saw of the hook."""

    ensured: set[str] = field(default_factory=set)
    failed: dict[str, tuple[float, JobHeldUp]] = field(default_factory=dict)
    # Accounts and the numbers that they have, here and on the cluster.
    alike: set[tuple[str, int]] = field(default_factory=set)


known = Known()
EVERY = ""  # stands for all accounts


def ensure(account: str) -> None:
    """Make sure that the account exists; nothing to do where cases have none.

    Never inside a transaction: it may last HOOK_S and a few seconds more.

    Raises: JobHeldUp, with what an operator needs to mend it.
    """
    if not account or (account in known.ensured and is_there(account)):
        return
    for whose in (account, EVERY):
        tried_at, trouble = known.failed.get(whose, (0.0, None))
        if trouble and time.monotonic() - tried_at < REST_S:
            raise trouble
    try:
        call_hook("ensure", account)
        if not is_there(account):
            raise _no_account(account)
    except JobHeldUp as trouble:
        whose = EVERY if isinstance(trouble.__cause__, subprocess.TimeoutExpired) else account
        known.failed[whose] = (time.monotonic(), trouble)
        log.error("Runs wait. %s", trouble)  # noqa: TRY400  said once, without the way there
        raise
    known.ensured.add(account)


def refuse_another_number(account: str, uid_of: Callable[[str], int | None]) -> None:
    """Make sure that the cluster gives the account the number that it has here.

    An access list holds the number: where it is another's there, the folder would be open to
    that other. `uid_of` asks the engine, once for an account in the life of this process.

    Raises: JobHeldUp, and EngineDown by `uid_of`.
    """
    if not account:
        return
    if not is_there(account):  # gone since it was made
        raise _no_account(account)
    here = pwd.getpwnam(account).pw_uid
    if (account, here) in known.alike:
        return
    there = uid_of(account)
    if there not in {None, here}:
        raise JobHeldUp(
            f"The account {account} has the number {here} here and {there} on the cluster: "
            "give it one number everywhere.",
            code="account_other_number",
        )
    known.alike.add((account, here))


def is_there(account: str) -> bool:
    try:
        return bool(pwd.getpwnam(account))
    except KeyError:
        return False


def call_hook(act: str, account: str) -> None:
    """Let the site's hook make (`ensure`) or take away (`remove`) an account.

    Raises: JobHeldUp, when it fails or is not over in time.
    """
    if not USER.fullmatch(account):
        raise JobHeldUp(f"{account!r} cannot be an account.", code="account_hook")
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n", "--"]
    try:
        code, said = _told([*as_root, *hook_words(act, account)])
    except OSError as error:
        raise _hook_failed(account, f"it cannot be started: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise _hook_failed(account, f"it was not over after {HOOK_S} s") from error
    if code:
        raise _hook_failed(account, said.strip()[-SAID_CHARACTERS:] or f"it ended with {code}")


def hook_words(act: str, account: str) -> list[str]:
    """Give what root runs. It ends itself: what sudo started nobody but root can end."""
    limit = [TIMEOUT, "-k", str(KILL_S), str(HOOK_S)]
    return [*limit, str(settings.UNIX_HOOK), act, account]


def _told(words: list[str]) -> tuple[int, str]:
    """Run it in a group of its own, so that what it started ends with it; never wait for ever.

    Raises: subprocess.TimeoutExpired, when it is not over in time.
    """
    child = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={"PATH": PATH, "LC_ALL": "C.UTF-8"},
        cwd="/",
        start_new_session=True,
        text=True,
        errors="replace",
    )
    try:
        _out, said = child.communicate(timeout=HOOK_S + 2 * KILL_S)
    except subprocess.TimeoutExpired:
        with suppress(PermissionError, ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            child.communicate(timeout=1)
        raise
    if child.returncode in ENDED_BY_TIMEOUT:
        raise subprocess.TimeoutExpired(words, HOOK_S)
    return child.returncode, said


def _hook_failed(account: str, why: str) -> JobHeldUp:
    return JobHeldUp(
        f"The hook {settings.UNIX_HOOK} does not make the account {account}: {why}",
        code="account_hook",
    )


def _no_account(account: str) -> JobHeldUp:
    return JobHeldUp(
        f"The hook {settings.UNIX_HOOK} ended well, but there is no account {account} here.",
        code="account_missing",
    )

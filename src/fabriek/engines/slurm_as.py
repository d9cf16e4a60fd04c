"""How a command is run as another Unix account: by root itself, or through sudo.

sudo keeps nothing of the environment, so that is said again behind it, and it closes the locks
it inherits, so that a shell around it keeps them until the command is over.
"""

import os
import pwd
import re
import shlex
from collections.abc import Mapping

from fabriek.engines.base import JobHeldUp

# What Debian and Red Hat allow, and sudo, sacctmgr and commas between names can bear.
USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}", re.ASCII)
STAYS = ("/bin/sh", "-c", '"$@"; exit $?', "sh")
BECOMES = """\
if [ "$(id -u)" -eq 0 ]; then
  exec setpriv --reuid={user} --regid="$(id -g {user})" --init-groups -- {words}
fi
sudo -n -u {user} -- {words}
exit $?"""
# Looks, as the job's account and where it is submitted, whether the job could start at all.
REACHES = """\
cd -- "$1" 2>/dev/null && [ -w . ] || { echo "fabriek: no way to $1" >&2; exit 1; }
command -v -- "$2" >/dev/null || { echo "fabriek: no way to $2" >&2; exit 1; }
echo 'fabriek: here' >&2; cd /; shift 2; exec "$@\""""
MARK = re.compile(r"^fabriek: here\n", re.MULTILINE)
OF_SLURM = re.compile(r"^(?:sbatch|scancel): ", re.MULTILINE)
NO_WAY = re.compile(r"^fabriek: no way to (.*)$", re.MULTILINE)
# sudo also warns, and goes on; then it is not its word that counts.
NOT_THEM = re.compile(
    r"^(?:\S*sh: (?:\d+: )?)?(?:sudo|setpriv|id): (?!unable to (?:resolve host|send audit)).*$",
    re.MULTILINE,
)
# What sudo, setpriv and a shell end with that could not start the command. It may itself.
NOT_STARTED = {1, 126, 127}


def as_user(user: str, words: tuple[str, ...], said: Mapping[str, str]) -> list[str]:
    """Give what runs `words` on this host as `user`, with only `said` in its environment.

    Raises: JobHeldUp, when there is no such account.
    """
    if os.geteuid() != 0:
        named = [f"{name}={value}" for name, value in said.items()]
        return [*STAYS, "sudo", "-n", "-u", user, "--", "/usr/bin/env", "-i", *named, *words]
    try:
        account = pwd.getpwnam(user)
    except KeyError as error:
        raise JobHeldUp(f"There is no account {user} here.", code="account_missing") from error
    ids = (f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups")
    return ["setpriv", *ids, "--", *words]


def as_user_there(user: str, words: str) -> str:
    """Give the same for a shell elsewhere; `words` are quoted."""
    return shlex.join(["/bin/sh", "-c", BECOMES.format(user=user, words=words)])


def reaching(folder: str, program: str, words: tuple[str, ...]) -> tuple[str, ...]:
    """Give what runs `words` only for an account that can use `folder` and `program`."""
    return ("/bin/sh", "-c", REACHES, "sh", folder, program, *words)


def without_mark(said: str) -> str:
    return MARK.sub("", said)


def refuse_held_up(user: str, code: int, said: str) -> None:
    """Understand why a command did not run as `user`, from what it ended with and said.

    Raises: JobHeldUp.
    """
    if code not in NOT_STARTED or MARK.search(said):
        return
    if found := NO_WAY.search(said):
        raise JobHeldUp(
            f"The account {user} cannot use {found[1]}: let it pass the folders above.",
            code="account_cannot_reach",
        )
    if not OF_SLURM.search(said) and (found := NOT_THEM.search(said)):
        raise JobHeldUp(
            f"Nothing can be run as {user} ({found[0][:200]}).", code="account_not_ours"
        )

"""How Slurm's commands are run: on this host, or on a login node over SSH, also as others."""

import os
import pwd
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fabriek.engines import slurm_pipe
from fabriek.engines.base import EngineDown
from fabriek.engines.slurm_as import STAYS, as_user, as_user_there, refuse_held_up

READ_S = 60.0
# Longer than sbatch itself goes on trying a controller that is busy.
WRITE_S = 120.0
# ssh's own status when it, and not the command, failed.
SSH_FAILED = 255
CANNOT_RUN = {126, 127}
SAID = {"SLURM_TIME_FORMAT": "%s", "LC_ALL": "C.UTF-8"}
SSH_READS = ("HOME", "SSH_AUTH_SOCK", "USER", "LOGNAME")
# A socket's name may not be longer; ssh adds 40 signs for %C and 17 of its own.
CONTROL_PATH_MAX = 100 - 40 - 17


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    out: str
    err: str


class Shell:
    """Runs one command at a time; `conf` is SLURM_CONF where that is not the usual one."""

    def __init__(self, home: Path, *, ssh: str = "", conf: str = "") -> None:
        self._home = home
        self._ssh = ssh
        self._conf = conf
        self._user = ""

    @property
    def user(self) -> str:
        """The Unix user whose jobs ours are."""
        if not self._user:
            self._user = self._asked_user() if self._ssh else _own_user()
        return self._user

    def _asked_user(self) -> str:
        told = self.ask("id", "-un")
        if told.code or not told.out.strip():
            raise EngineDown(f"The login node does not say who we are: {told.err[:200]}")
        return told.out.strip()

    def ask(
        self,
        *words: str,
        given: str = "",
        user: str = "",
        timeout_s: float = READ_S,
        held: int | None = None,
    ) -> Answer:
        """Run the command with nothing of our environment, and with `given` to read.

        `user`: as whom, if not as ourselves. `held`: an open lock that stays held until the
        command is over, also when we die first.

        Raises:
            EngineDown: it cannot be run or is not over in time.
            JobHeldUp: there is no such user, or no way to become it.
        """
        try:
            done = subprocess.run(
                self._command(words, user),
                input=given.encode("utf-8", "surrogateescape"),
                capture_output=True,
                timeout=timeout_s,
                env=self._environment(),
                cwd="/",
                pass_fds=[] if held is None else [held],
                check=False,
            )
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            raise EngineDown(f"{words[0]} cannot be run: {error}") from error
        out, err = (told.decode("utf-8", "replace") for told in (done.stdout, done.stderr))
        if user and done.returncode in CANNOT_RUN:
            refuse_held_up(user, done.returncode, err)
        if done.returncode in CANNOT_RUN or (self._ssh and done.returncode == SSH_FAILED):
            raise EngineDown(f"{words[0]} cannot be run: {err.strip()[:300]}")
        return Answer(done.returncode, out, err)

    def opening(self, *words: str, user: str = "") -> tuple[str, ...]:
        """Give what to start: the command as `ask` runs it, but with pipes and no time limit.

        Raises: JobHeldUp, there is no such user.
        """
        said = (f"{name}={value}" for name, value in self._environment().items())
        return ("/usr/bin/env", "-i", *said, *self._command(words, user))

    def _command(self, words: tuple[str, ...], user: str) -> list[str]:
        if self._ssh:
            return self._over_ssh(words, user)
        return as_user(user, words, self._environment()) if user else [*words]

    def lines(self, *words: str, patience_s: float = WRITE_S) -> Iterator[str]:
        """Run the command and give what it prints line by line, never all of it at once.

        Raises: EngineDown, also in the middle, when it ends badly.
        """
        command = self._command(words, "")
        return slurm_pipe.lines(command, environment=self._environment(), patience_s=patience_s)

    def _environment(self) -> dict[str, str]:
        path = {"PATH": os.environ.get("PATH", os.defpath)}
        if self._ssh:  # it reads its own settings and keys
            told = {name: os.environ[name] for name in SSH_READS if name in os.environ}
            return path | told
        # sbatch takes options from its environment too: there must be no others in it.
        conf = self._conf or os.environ.get("SLURM_CONF", "")
        return path | SAID | ({"SLURM_CONF": conf} if conf else {})

    def _over_ssh(self, words: tuple[str, ...], user: str) -> list[str]:
        said = SAID | ({"SLURM_CONF": self._conf} if self._conf else {})
        theirs = "" if self._conf else '${SLURM_CONF:+"SLURM_CONF=$SLURM_CONF"} '
        ours = shlex.join([*(f"{name}={value}" for name, value in said.items()), *words])
        clean = f'/usr/bin/env -i "PATH=$PATH" {theirs}'
        told = as_user_there(user, clean + ours) if user else ours
        remote = f"exec {clean}{told}"
        options = ["BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=15"]
        if len(str(self._home)) <= CONTROL_PATH_MAX:
            options += ["ControlMaster=auto", "ControlPersist=120"]
            options += [f"ControlPath={self._home}/ssh-%C"]
        ssh = ["ssh", "-T", *(word for one in options for word in ("-o", one))]
        # ssh closes a lock that it inherits; the shell around it keeps it.
        return [*STAYS, *ssh, "--", self._ssh, remote]


def _own_user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError as error:
        raise EngineDown("This process runs as a user without a name.") from error

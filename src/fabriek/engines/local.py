"""An engine for one machine: each job is a process with a supervisor that outlives the portal.

Nothing is kept in memory: any number of portals and loops may use one home at the same time. A
job that waits is a file; whoever comes by (a submit, a look, the end of another job) starts it.
Under systemd the portal's unit needs `KillMode=process`, or its restart ends the jobs as well.
"""

import math
import re
import subprocess
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from fabriek.engines.base import (
    Budget,
    EngineDown,
    Job,
    JobHeldUp,
    JobRejected,
    Machine,
    Node,
    NodeState,
    Phase,
    Reason,
    Sighting,
    UsageRecord,
    refuse_secure,
)
from fabriek.engines.local_desk import Knobs, is_waiting, tend
from fabriek.engines.local_home import Home
from fabriek.engines.local_proc import gpu_kind, nudge, real_gpus

# A key is also a folder's name.
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)


@contextmanager
def _answering() -> Iterator[None]:
    """Say EngineDown when the home cannot be read or written."""
    try:
        yield
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise EngineDown(f"The local engine cannot use its home: {error}") from error


class Local:
    """Runs jobs on this machine, first come first served, `gpus` at a time.

    Without `gpus` it counts the GPUs there are, and pretends to have one where there is none.
    `grace_s`: between SIGTERM and SIGKILL. `beat_s`: how often a supervisor says it lives.
    """

    def __init__(
        self, home: Path, *, gpus: int | None = None, grace_s: float = 10.0, beat_s: float = 1.0
    ) -> None:
        self._home = Home(home.absolute())
        self._knobs = Knobs(gpus=gpus or real_gpus() or 1, grace_s=grace_s, beat_s=beat_s)

    @_answering()
    def submit(self, job: Job) -> None:
        """Make sure `job` exists.

        An account is let in when its budget is open, or when nothing was ever said about it.
        How much is left is for the factory's ledger to say: this engine does not count.
        """
        _refuse_bad_key(job.key)
        _refuse_user(job.user)
        refuse_secure(job)
        self._home.make()
        with self._home.desk():
            if not self._home.knows(job.key):
                self._refuse_closed(job.account)
                _refuse_misfit(job, self._knobs.gpus)
                self._home.add(job)
            tend(self._home, self._knobs)

    @_answering()
    def look(self, keys: Collection[str]) -> dict[str, Sighting]:
        self._home.make()
        with self._home.desk():
            waiting = tend(self._home, self._knobs)
        positions = {key: position for position, key in enumerate(waiting, 1)}
        known = (key for key in keys if KEY.fullmatch(key))
        seen = {key: self._sighting(key, positions.get(key)) for key in known}
        return {key: sighting for key, sighting in seen.items() if sighting}

    @_answering()
    def cancel(self, key: str) -> None:
        if not KEY.fullmatch(key):
            return
        self._home.make()
        with self._home.desk():
            if not self._home.knows(key) or self._home.has_ended(key):
                return
            if is_waiting(self._home, key):
                end = Sighting(Phase.CANCELLED, 0, Reason.CANCELLED, ended_at=time.time())
                self._home.ended(self._home.job(key), end)
                return
            self._home.wish_cancelled(key)
            if start := self._home.start(key):
                nudge(start.supervisor, start.supervisor_ticks)

    def reach(self, key: str, command: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ARG002
        """Give the command itself: the job runs here, as whoever runs this."""
        return command

    def uid_of(self, user: str) -> int | None:  # noqa: ARG002
        """Tell none: it becomes nobody else, and refuses jobs for which it should."""
        return None

    @_answering()
    def tell_budgets(self, budgets: Collection[Budget]) -> None:
        """Keep which accounts are open; one machine has one user and no shares."""
        self._home.make()
        with self._home.desk():
            self._home.keep_budgets(budgets)

    @_answering()
    def usage(self, since: float, until: float = math.inf) -> Iterator[UsageRecord]:
        self._home.make()
        return iter(self._home.usage(since, until))

    @_answering()
    def machine(self) -> Machine:
        """Tell of one node; its GPUs are in use for as long as somebody holds their locks."""
        self._home.make()
        with self._home.desk():
            waiting = tend(self._home, self._knobs)
            running = len(self._home.entries("live"))
            used = self._knobs.gpus - self._home.count_free_slots(self._knobs.gpus)
            asked = [self._home.job(key).gpus for key in waiting if self._home.knows(key)]
        node = Node(
            name="local",
            state=NodeState.BUSY if used else NodeState.FREE,
            gpus=self._knobs.gpus,
            gpus_used=used,
            gpu_kind=gpu_kind(),
        )
        return Machine(
            nodes=(node,),
            jobs_running=running,
            jobs_waiting=len(asked),
            gpus_waited_for=sum(asked),
        )

    def _refuse_closed(self, account: str) -> None:
        if not self._home.is_open(account):
            raise JobRejected(f"The budget of {account} is closed.", code="account_closed")

    def _sighting(self, key: str, position: int | None) -> Sighting | None:
        if end := self._home.end(key):
            return end
        if start := self._home.start(key):
            held_s = int(time.monotonic() - start.monotonic_s)
            return Sighting(Phase.RUNNING, held_s, started_at=start.started_at)
        if self._home.knows(key):
            return Sighting(Phase.QUEUED, queue_position=position)
        return None


def _refuse_bad_key(key: str) -> None:
    if not KEY.fullmatch(key):
        raise JobRejected(f"{key!r} cannot be the name of a job.", code="bad_key")


def _refuse_user(user: str) -> None:
    """Refuse to run as ourselves what should be kept away from us. Raises: JobHeldUp."""
    if user:
        raise JobHeldUp(
            "The local engine runs all jobs as the portal's own account: set "
            "FABRIEK_ENGINE=slurm, or FABRIEK_UNIX_ACCOUNTS=0.",
            code="account_not_ours",
        )


def _refuse_misfit(job: Job, gpus: int) -> None:
    if job.nodes != 1:
        raise JobRejected(
            "This engine is one machine: ask for one node.", code="too_many_nodes"
        )
    if not 1 <= job.gpus <= gpus:
        raise JobRejected(f"This machine has 1 to {gpus} GPUs to give.", code="too_many_gpus")
    if job.timeout_s < 1:
        raise JobRejected("A job needs at least one second.", code="bad_timeout")
    words = [*job.command, *(word for pair in job.environment for word in pair)]
    names = [name for name, _ in job.environment]
    if (
        not job.command
        or any("\0" in word for word in words)
        or any("=" in name or not name for name in names)
    ):
        raise JobRejected("This is no command that can be started.", code="bad_command")
    if not job.folder.is_absolute() or not job.folder.is_dir():
        raise JobRejected(f"There is no folder {job.folder} to run in.", code="no_folder")

"""An engine for a Slurm cluster, by its own commands, here or on a login node.

Our key is the job's name, so that it is found though sbatch's answer was lost; once its number
is known that counts, as a job may give itself another name. The truth about a job is Slurm's:
the queue first, then the accounting; the run folder tells only what neither can know.
"""

import logging
import math
import re
import signal
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
    Sighting,
    UsageRecord,
    refuse_secure,
)
from fabriek.engines.slurm_as import USER, reaching, refuse_held_up, without_mark
from fabriek.engines.slurm_budget import Budgets
from fabriek.engines.slurm_home import FOLDER, Home
from fabriek.engines.slurm_machine import machine_of
from fabriek.engines.slurm_onward import Onward
from fabriek.engines.slurm_ours import Ours
from fabriek.engines.slurm_script import (
    KEY,
    beside,
    options,
    refuse_misfit,
    script,
)
from fabriek.engines.slurm_shell import WRITE_S, Shell
from fabriek.engines.slurm_sights import Sights
from fabriek.engines.slurm_site import Site
from fabriek.engines.slurm_usage import records
from fabriek.engines.slurm_wall import Walls, keep, refuse_longer
from fabriek.engines.slurm_words import SURELY_NOT, refusal

__all__ = ["Site", "Slurm"]

log = logging.getLogger(__name__)

OVER = re.compile(r"already complet|Invalid job id")
# Where the queue is full sbatch itself tries again for two minutes. All runs wait for it.
SBATCH_S = 20
# What timeout(1) ends with then, as itself or through a shell: it kills itself with sbatch.
ENDED_BY_TIMEOUT = {124, 128 + signal.SIGKILL, -signal.SIGKILL}
# How long an sbatch that gave no answer may still be on its way through a busy controller.
UNCLEAR_S = 60.0


@contextmanager
def _answering() -> Iterator[None]:
    """Say EngineDown when the engine's own home cannot be read or written."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise EngineDown(f"The Slurm engine cannot use its home: {error}") from error


class Slurm:
    """Runs jobs on a Slurm cluster.

    A run that Slurm starts again stays one run: what it held before counts in its elapsed_s.
    """

    def __init__(self, home: Path, site: Site | None = None) -> None:
        site = site or Site()
        self._engines = home.absolute()
        self._home = Home(self._engines / FOLDER)
        self._shell = Shell(self._home.root, ssh=site.ssh, conf=site.conf)
        self._ours = Ours(self._home, self._shell)
        self._sights = Sights(self._home)
        # The number of each living job, and its account's on the cluster.
        self._living: dict[str, str] = {}
        self._uids: dict[str, int] = {}
        self._budgets = Budgets(self._shell, site.root)
        self._onward = Onward(self._shell, self._home)
        self._walls = Walls(self._shell, partition=site.partition, most_s=site.wall_s)
        secure = site.secure_partition
        self._secure_walls = Walls(self._shell, partition=secure, most_s=site.wall_s)
        self._site = site

    @_answering()
    def submit(self, job: Job) -> None:
        """Make sure `job` exists, also after a death at any point of an earlier try.

        That it is asked for is on the disk before sbatch is called. A second call looks for it
        in queue and accounting, and sbatch itself holds the lock, so that it cannot be under
        way while they are read.
        """
        if not KEY.fullmatch(job.key):
            raise JobRejected(f"{job.key!r} cannot be the name of a job.", code="bad_key")
        self._home.make()
        with self._home.locked(job.key) as lock:
            if self._home.number(job.key) or self._was_sent(job.key):
                return
            refuse_misfit(job)
            if not self._site.secure_partition:
                refuse_secure(job)
            if job.user and not USER.fullmatch(job.user):
                raise JobRejected(f"{job.user!r} cannot be an account.", code="bad_user")
            self._home.intend(job)
            try:
                number = self._sbatch(job, lock)
            except (JobRejected, JobHeldUp):
                self._home.forget(job.key)
                raise
            self._home.sent(job.key, number)

    @_answering()
    def look(self, keys: Collection[str]) -> dict[str, Sighting]:
        """Ask the queue once, and the accounting once for what the queue cannot tell."""
        self._home.make()
        wanted = {key for key in keys if KEY.fullmatch(key)}
        queue = self._ours.queue(wanted)
        standing = {key: self._sights.chosen(key, rows) for key, rows in queue.items()}
        self._living = {key: it for key, it in self._living.items() if key not in wanted}
        self._living |= {key: row.number for key, row in standing.items()}
        unsure = wanted - standing.keys()
        unsure |= {key for key, row in standing.items() if row.restarts}
        try:
            past = self._ours.past(unsure)
        except EngineDown:
            if not standing:
                raise
            past = None
        seen: dict[str, Sighting] = {}
        for key in wanted:
            stretches = None if past is None else past.rows.get(key, [])
            kept = past is None or past.is_kept
            row = standing.get(key)
            if sighting := self._sights.sighting(key, row, stretches, is_accounted=kept):
                seen[key] = sighting
                if stretches is not None and key in standing:
                    self._onward.shorten(key, standing[key], sighting.elapsed_s)
        return seen

    @_answering()
    def cancel(self, key: str) -> None:
        if not KEY.fullmatch(key):
            return
        self._home.make()
        self._home.wish_cancelled(key)
        user = self._home.user(key)
        whose = f"--user={user or self._shell.user}"
        # By its number when it was last seen with it: it may have another name.
        which = self._living.get(key, f"--name={key}")
        try:
            told = self._shell.ask("scancel", whose, which, user=user)
            if user:
                refuse_held_up(user, told.code, told.err)
        except JobHeldUp:
            # Not to be solved by trying again, nor a reason to leave the other runs alone.
            log.exception("%s cannot be cancelled.", key)
            return
        if told.code and not OVER.search(told.err):
            raise EngineDown(f"scancel: {told.err.strip()[:300]}")

    @_answering()
    def reach(self, key: str, command: tuple[str, ...]) -> tuple[str, ...]:
        """Let `srun` start a step within the job: its bytes go through Slurm, over no port.

        Raises: EngineDown, also when the job's number is not known.
        """
        number = self._home.number(key) if KEY.fullmatch(key) else ""
        if not number.isdigit():
            raise EngineDown(f"The job of {key} is not known.")
        return self._shell.opening(*beside(number, command), user=self._home.user(key))

    @_answering()
    def uid_of(self, user: str) -> int:
        """Ask where jobs are submitted, once in the life of this process.

        Raises: JobHeldUp, when nothing can be run as that account.
        """
        if user not in self._uids:
            self._home.make()
            told = self._shell.ask("id", "-u", user=user)
            refuse_held_up(user, told.code, told.err)
            if told.code or not told.out.strip().isdigit():
                raise EngineDown(f"id -u as {user}: {told.err.strip()[:300]}")
            self._uids[user] = int(told.out)
        return self._uids[user]

    @property
    def budgets(self) -> Budgets:
        """What an operator asks of Slurm alone: drift, its repair, and use at this moment."""
        return self._budgets

    @_answering()
    def tell_budgets(self, budgets: Collection[Budget]) -> None:
        self._home.make()
        self._budgets.tell(budgets)

    @_answering()
    def usage(self, since: float, until: float = math.inf) -> Iterator[UsageRecord]:
        """Give each stretch for which a job of our accounts held something, whoever's it is.

        A run that Slurm started again has several. Slurm's accounting may be seconds behind.
        """
        self._home.make()
        accounts = self._budgets.accounts()
        return records(self._shell, accounts=accounts, since=since, until=until)

    @_answering()
    def machine(self) -> Machine:
        """Tell of the nodes of our partitions, and of all jobs: they take turns with ours."""
        self._home.make()  # which keeps the connection to a login node
        partitions = self._site.partition
        if partitions and self._site.secure_partition:
            partitions += f",{self._site.secure_partition}"
        return machine_of(self._shell, partitions)

    @_answering()
    def note_walls(self) -> None:
        """Keep for others how long and large a job may be; asks when it is time again."""
        self._home.make()
        has_secure = bool(self._site.secure_partition)
        keep(
            self._engines,
            outside_s=self._walls.of_everybody(),
            secure_s=self._secure_walls.of_everybody() if has_secure else 0,
            outside_gpus=self._walls.gpus_of_everybody(),
            secure_gpus=self._secure_walls.gpus_of_everybody() if has_secure else 0,
        )

    def _was_sent(self, key: str) -> bool:
        """Look for a job of which we only know that it may have been submitted.

        Raises: EngineDown, when it may still be on its way.
        """
        if not self._home.knows(key):
            return False
        found = self._ours.queue({key}).get(key) or self._ours.past({key}).rows.get(key)
        if found:
            self._home.sent(key, self._sights.chosen(key, found).number)
            return True
        if self._home.trail(key).started_at:
            self._home.sent(key, "forgotten")
            return True
        unclear_s = self._home.unclear_for_s(key)
        if unclear_s is not None and unclear_s < UNCLEAR_S:
            raise EngineDown(f"An sbatch of {key} gave no answer; it may still come through.")
        return False

    def _sbatch(self, job: Job, lock: int) -> str:
        """Submit, as whom the job names, and give the job's number."""
        walls, partition = self._walls, self._site.partition
        if job.is_secure:
            walls, partition = self._secure_walls, self._site.secure_partition
        wall_s = walls.of(job.account)
        refuse_longer(job, wall_s)
        # Told to end where it runs: behind sudo and ssh it would outlive who asked for it.
        words: tuple[str, ...] = ("timeout", "--kill-after=5", str(SBATCH_S), "sbatch")
        words += tuple(options(job, partition=partition, wall_s=wall_s))
        if job.user:
            words = reaching(str(job.folder), job.command[0], words)
        try:
            told = self._shell.ask(
                *words,
                given=script(job, grace_s=self._site.grace_s, wall_s=wall_s),
                user=job.user,
                timeout_s=WRITE_S,
                held=lock,
            )
        except EngineDown:
            self._home.unclear(job.key)
            raise
        number = told.out.strip().partition(";")[0]
        if not told.code and number.isdigit():
            return number
        if job.user:
            refuse_held_up(job.user, told.code, told.err)
        raise self._not_taken(job.key, told.code, without_mark(told.err).strip())

    def _not_taken(self, key: str, code: int, said: str) -> JobRejected | EngineDown:
        """Say why there is no number: of one that was ended nobody knows what it had done."""
        is_told = code not in ENDED_BY_TIMEOUT
        if is_told and (refused := refusal(said)):
            return refused
        if not is_told or not SURELY_NOT.search(said):
            self._home.unclear(key)
        return EngineDown(f"sbatch ended with {code}: {said[:300]}")

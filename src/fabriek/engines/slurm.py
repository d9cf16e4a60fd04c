"""An engine for a Slurm cluster, by its own commands, here or on a login node.

Our key is the job's name, never its number: numbers are used again. The truth about a job is
Slurm's: the queue first, then the accounting; the run folder tells only what neither knows.
"""

import logging
import re
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fabriek.engines.base import (
    EngineDown,
    Job,
    JobRejected,
    Phase,
    Sighting,
    UsageRecord,
)
from fabriek.engines.slurm_ask import Row, by_key
from fabriek.engines.slurm_ask import Slurm as Cluster
from fabriek.engines.slurm_budget import Budgets
from fabriek.engines.slurm_home import Home
from fabriek.engines.slurm_script import ACCOUNT, KEY, PARTITION, options, refuse_misfit, script
from fabriek.engines.slurm_shell import WRITE_S, Shell
from fabriek.engines.slurm_sights import Sights
from fabriek.engines.slurm_words import SURELY_NOT, phase, refusal

log = logging.getLogger(__name__)

LOGIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@-]*", re.ASCII)
OVER = re.compile(r"already complet|Invalid job id")
DAY_S = 86_400
# How far back a job may have been asked for that our home does not know: longer than a run
# may be lost and still be found.
LONGEST_AGO_S = 60 * DAY_S
# How long an sbatch that gave no answer may still be on its way through a busy controller.
UNCLEAR_S = 60.0


@contextmanager
def _answering() -> Iterator[None]:
    """Say EngineDown when the engine's own home cannot be read or written."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise EngineDown(f"The Slurm engine cannot use its home: {error}") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """Where a cluster is, and what is ours there.

    `ssh`: user@login where the commands are not on this host. `conf`: SLURM_CONF where it is
    not the usual one. `root`: the account below which ours are. `partition`: one, several with
    commas, or the cluster's own choice. `grace_s`: between SIGTERM and SIGKILL when a job runs
    longer than it asked for; where Slurm ends a job, its own KillWait counts.
    """

    ssh: str = ""
    conf: str = ""
    root: str = "fabriek"
    partition: str = ""
    grace_s: int = 30

    def __post_init__(self) -> None:
        """Refuse, before anything is started, what would be taken for something else."""
        if not ACCOUNT.fullmatch(self.root):
            raise ValueError(f"{self.root!r} cannot be an account of Slurm.")
        if self.partition and not PARTITION.fullmatch(self.partition):
            raise ValueError(f"{self.partition!r} cannot be a partition of Slurm.")
        if self.ssh and not LOGIN.fullmatch(self.ssh):
            raise ValueError(f"{self.ssh!r} is not user@login.")


class Slurm:
    """Runs jobs on a Slurm cluster.

    A run that Slurm starts again stays one run: what it held before counts in its elapsed_s.
    """

    def __init__(self, home: Path, site: Site | None = None) -> None:
        site = site or Site()
        # A folder of its own: the local engine may have had this home before.
        self._home = Home(home.absolute() / "slurm")
        self._shell = Shell(self._home.root, ssh=site.ssh, conf=site.conf)
        self._cluster = Cluster(self._shell)
        self._sights = Sights(self._home)
        self._budgets = Budgets(self._shell, site.root)
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
            self._home.intend(job)
            self._home.sent(job.key, self._sbatch(job, lock))

    @_answering()
    def look(self, keys: Collection[str]) -> dict[str, Sighting]:
        """Ask the queue once, and the accounting once for what the queue cannot tell."""
        self._home.make()
        wanted = {key for key in keys if KEY.fullmatch(key)}
        queue = by_key(row for row in self._cluster.queue() if row.key in wanted)
        standing = {key: self._sights.chosen(key, rows) for key, rows in queue.items()}
        unsure = wanted - standing.keys()
        unsure |= {key for key, row in standing.items() if row.restarts}
        try:
            past = self._past(unsure)
        except EngineDown:
            if not standing:
                raise
            past = None
        seen: dict[str, Sighting] = {}
        for key in wanted:
            stretches = None if past is None else past.get(key, [])
            if sighting := self._sights.sighting(key, standing.get(key), stretches):
                seen[key] = sighting
        return seen

    @_answering()
    def cancel(self, key: str) -> None:
        if not KEY.fullmatch(key):
            return
        self._home.make()
        self._home.wish_cancelled(key)
        told = self._shell.ask(
            "scancel", "--quiet", f"--user={self._shell.user}", f"--name={key}"
        )
        if told.code and not OVER.search(told.err):
            raise EngineDown(f"scancel: {told.err.strip()[:300]}")

    @_answering()
    def open_budget(self, account: str, gpu_seconds: int) -> None:
        if _is_account(account):
            self._budgets.open(account, gpu_seconds)

    @_answering()
    def set_budget(self, account: str, gpu_seconds: int) -> None:
        if _is_account(account):
            self._budgets.set(account, gpu_seconds)

    @_answering()
    def close_budget(self, account: str) -> None:
        if _is_account(account):
            self._budgets.close(account)

    @_answering()
    def usage(self, since: float) -> Iterator[UsageRecord]:
        """Give each stretch for which a job of our accounts held GPUs, whoever submitted it.

        A run that Slurm started again has several. Slurm's accounting may be seconds behind.
        """
        accounts = self._budgets.accounts()
        rows = self._cluster.accounting(since=since, accounts=accounts) if accounts else []
        records = [_record(row) for row in rows or () if _has_held(row)]
        ended = [record for record in records if record.ended_at >= since]
        return iter(sorted(ended, key=lambda record: (record.ended_at, record.key)))

    def _was_sent(self, key: str) -> bool:
        """Look for a job of which we only know that it may have been submitted.

        Raises: EngineDown, when it may still be on its way.
        """
        if not self._home.knows(key):
            return False
        rows = [row for row in self._cluster.queue() if row.key == key]
        found = rows or self._past({key}).get(key)
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
        """Submit, and give the job's number."""
        try:
            told = self._shell.ask(
                "sbatch",
                *options(job, partition=self._site.partition),
                given=script(job, grace_s=self._site.grace_s),
                timeout_s=WRITE_S,
                held=lock,
            )
        except EngineDown:
            self._home.unclear(job.key)
            raise
        number = told.out.strip().partition(";")[0]
        if not told.code and number.isdigit():
            return number
        if refused := refusal(told.err):
            self._home.forget(job.key)
            raise refused
        if not SURELY_NOT.search(told.err):
            self._home.unclear(job.key)
        raise EngineDown(f"sbatch: {told.err.strip()[:300]}")

    def _past(self, keys: Collection[str]) -> dict[str, list[Row]]:
        if not keys:
            return {}
        long_ago = time.time() - LONGEST_AGO_S
        asked_at = min(self._home.asked_at(key) or long_ago for key in keys)
        # A day of margin: the clocks of portal and cluster may differ.
        rows = self._cluster.accounting(since=asked_at - DAY_S, keys=keys)
        return by_key(row for row in rows or () if row.key in keys)


def _is_account(account: str) -> bool:
    """Names that Slurm would change or misread get no budget, and so no jobs."""
    if ACCOUNT.fullmatch(account):
        return True
    log.error("%r cannot be an account of Slurm.", account)
    return False


def _has_held(row: Row) -> bool:
    return row.started_at is not None and row.ended_at is not None and row.gpus > 0


def _record(row: Row) -> UsageRecord:
    ending = phase(row.state)
    return UsageRecord(
        key=row.key,
        account=row.account,
        gpus=row.gpus,
        started_at=row.started_at or 0.0,
        ended_at=row.ended_at or 0.0,
        elapsed_s=row.elapsed_s,
        # A stretch that Slurm ended to start the job again did not succeed.
        phase=ending if ending.is_final else Phase.FAILED,
    )

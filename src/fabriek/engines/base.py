"""What the factory asks of anything that can run a job.

The factory names every job with its own `key`, so it can always ask again: a crash between
submitting and remembering loses nothing.

    submit(job)     make sure this job exists                safe to repeat
    look(keys)      what is known about these                one call for all of them
    cancel(key)     make sure it stops                       safe to repeat
    reach(key, …)   how to run a command beside it           asks nobody
    tell_budgets(budgets)                                    safe to repeat
    usage(since, until)    who held which GPUs how long      safe to repeat
    machine()       how the whole machine stands now         safe to repeat

EngineError
├── EngineDown     no answer: nothing may be concluded, try again later
├── BudgetsHeldUp  these budgets were not taken; the others were: try again when mended
├── JobHeldUp      this job cannot be sent now; others can: try again when that is mended
└── JobRejected    the engine answered no: trying again will not help

What a job finds when it runs: its working directory is its run folder; stdout and stderr
together go to `log` there and its exit status to `exit` (128 + signal number if a signal ended
it; no `exit` at all when nobody saw it end). Its environment holds PATH, HOME (the run folder),
LANG, FABRIEK_JOB (its key), FABRIEK_GPUS (numbers of its GPUs, "0,1"), on real GPUs
CUDA_VISIBLE_DEVICES, and what `Job.environment` adds: never anything of the portal's. Before it
is killed it gets SIGTERM and a short time to write a checkpoint; some minutes before its time
is up it may get SIGUSR1, which does no harm to a program that does not listen (a shell cannot).

A job on several nodes starts its command once on each, in the same folder, and finds there how
many they are (FABRIEK_NODES), which it is (FABRIEK_NODE, from 0), the address by which the
first is reached (FABRIEK_FIRST) and where to meet: a file in the folder, another at each start
and not there yet, which the engine removes (FABRIEK_MEETING). Each line of `log` then begins
with the number of the node. It ends as the first command that ends badly, or well when all
have. A job may be started again in its folder, after it was made to stop or its machine was
lost: it then goes on from what it saved, and stays one job. With status 75 (EX_TEMPFAIL) it
wants that itself, as when one of its nodes is gone.
"""

import math
from collections.abc import Collection, Iterator
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class EngineError(Exception):
    pass


class EngineDown(EngineError):
    """No answer. It may be that nothing happened, it may be that everything did."""


class JobHeldUp(EngineError):
    """One job was not taken, for something that an operator must mend: ask again later.

    `code` is stable, as in JobRejected.
    """

    def __init__(self, sentence: str, *, code: str) -> None:
        super().__init__(sentence)
        self.code = code


class BudgetsHeldUp(EngineError):
    """The budgets of `accounts` were not taken, for something that an operator must mend."""

    def __init__(self, sentence: str, *, accounts: Collection[str]) -> None:
        super().__init__(sentence)
        self.accounts = frozenset(accounts)


class JobRejected(EngineError):
    """The answer is no, and will stay no.

    `code` is stable, so that pages can say it in the reader's language; `str(error)` is an
    English sentence for the log and for programs.
    """

    def __init__(self, sentence: str, *, code: str = "rejected") -> None:
        super().__init__(sentence)
        self.code = code


class Phase(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"  # the engine uses a word we do not know: conclude nothing

    @property
    def is_final(self) -> bool:
        return self in {Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED}


class Reason(StrEnum):
    """Why a job ended as it did; engines may report other words of their own while it waits."""

    EXIT = "exit"  # it ended by itself with a status that is not 0: see exit_code
    TIMEOUT = "timeout"  # it ran longer than it asked for
    KILLED = "killed"  # a signal ended it that the engine did not send
    CANCELLED = "cancelled"
    VANISHED = "vanished"  # it is gone and nobody saw how: power, reboot, a killed supervisor
    OUT_OF_MEMORY = "out_of_memory"
    # Longer than one job may be, it was to go on as another, and
    NO_PROGRESS = "no_progress"  # ... had saved nothing new, or
    NOT_REQUEUED = "not_requeued"  # ... the engine did not start it again
    NO_GPUS = "no_gpus"  # the engine started it, more than once, without the GPUs it asked for
    NO_ROOM = "no_room"  # the engine became smaller than what the waiting job asked for


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One piece of work.

    `folder` is seen by the portal and by the machine that runs the job, on the same path.
    `gpus` counts all of them, over all nodes. `user` is the Unix account it runs as, where the
    engine can do that; empty: the engine's own. `environment` cannot change
    CUDA_VISIBLE_DEVICES, or what the engine says of FABRIEK_…. `is_secure`: it runs on the
    secure part of the machine, or not at all; no other job does. `is_whole`: it saves nothing
    to go on from, so it is refused where no job may last as long at once.
    """

    key: str
    account: str
    folder: Path
    command: tuple[str, ...]
    gpus: int
    timeout_s: int
    nodes: int = 1
    user: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    is_secure: bool = False
    is_whole: bool = False


def refuse_secure(job: Job) -> None:
    """Refuse, for an engine without a secure part, what may run nowhere else.

    Raises: JobRejected.
    """
    if job.is_secure:
        raise JobRejected("This machine has no secure part.", code="no_secure_part")


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """GPU time of one account, as the factory's ledger has it.

    `share`: slug of the funder's share that the account stands under, which is promised
    `share_percent` of the machine; None: leave as it is. `gpu_seconds`: all that was granted,
    never what is left. `users`: Unix accounts that may use it besides the engine's own.
    """

    account: str
    gpu_seconds: int
    is_open: bool = True
    share: str = ""
    share_percent: int | None = None
    users: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the engine said about one job.

    `elapsed_s` is how long the job has held its GPUs: 0 while it waits, cut off to whole
    seconds, and up to the engine's grace more than `timeout_s` when it had to be stopped.
    `started_at` and `ended_at` are seconds since 1970. `queue_position` 1 is the next to start;
    None: being started, or the engine does not tell. `starts_at`: when the engine expects a job
    that waits to start, since 1970. `starts`: how often it got its GPUs, where the engine may
    start it again.
    """

    phase: Phase
    elapsed_s: int = 0
    reason: str = ""
    _: KW_ONLY
    exit_code: int | None = None
    started_at: float | None = None
    ended_at: float | None = None
    queue_position: int | None = None
    starts_at: float | None = None
    starts: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageRecord:
    """One line of the engine's own accounting: a job that held part of it and has ended.

    A job that was started again has one for each time. `identity` is what no other record ever
    has, also where `number` is used again. `state` is the engine's own word, `tres` what was
    held in its words. `energy_j` is what the engine measured, in joules, with its method; None
    where nothing measures. Moments are seconds since 1970.
    """

    identity: str
    key: str
    account: str
    gpus: int
    started_at: float
    ended_at: float
    elapsed_s: int
    phase: Phase
    number: str = ""
    user: str = ""
    state: str = ""
    nodes: int = 1
    tres: str = ""
    submitted_at: float | None = None
    energy_j: int | None = None
    energy_method: str = ""

    @property
    def gpu_seconds(self) -> int:
        return self.gpus * self.elapsed_s


class NodeState(StrEnum):
    FREE = "free"  # takes jobs, and none of its GPUs is in use
    BUSY = "busy"  # takes jobs, and some or all of its GPUs are in use
    DRAINING = "draining"  # what runs on it goes on; it takes nothing new
    DOWN = "down"
    UNKNOWN = "unknown"  # the engine uses a word we do not know: conclude nothing

    @property
    def takes_jobs(self) -> bool:
        return self in {NodeState.FREE, NodeState.BUSY}


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """One computer with GPUs.

    `reason`: why it is down or draining, in the words of whoever looks after it: for the staff
    of the factory, as nobody knows what stands in it.
    """

    name: str
    state: NodeState
    gpus: int
    gpus_used: int
    gpu_kind: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """How a machine stands: its nodes that have GPUs, and the jobs that ask for GPUs.

    Jobs of everybody are counted, also those that the factory knows nothing of.
    """

    nodes: tuple[Node, ...]
    jobs_running: int
    jobs_waiting: int
    gpus_waited_for: int

    @property
    def gpus(self) -> int:
        return sum(node.gpus for node in self.nodes)

    @property
    def gpus_used(self) -> int:
        return sum(node.gpus_used for node in self.nodes)

    @property
    def gpus_free(self) -> int:
        """Those that a job could have at once."""
        return sum(node.gpus - node.gpus_used for node in self.nodes if node.state.takes_jobs)

    @property
    def gpus_out(self) -> int:
        """Those that nobody uses and nobody can have now."""
        return self.gpus - self.gpus_used - self.gpus_free


class Engine(Protocol):
    """Every verb may raise EngineDown."""

    def submit(self, job: Job) -> None:
        """Make sure `job` exists. A key that is known is left as it is, even if it has ended.

        Raises: JobRejected, JobHeldUp.
        """

    def look(self, keys: Collection[str]) -> dict[str, Sighting]:
        """Sightings by key. A job the engine does not mention is absent, never 'done'."""

    def cancel(self, key: str) -> None:
        """Make sure the job stops, soon. Unknown and finished jobs are fine."""

    def reach(self, key: str, command: tuple[str, ...]) -> tuple[str, ...]:
        """Give what to start here, so that `command` runs beside the job of this key.

        It runs on the job's first node and as its user, with the stdin and stdout of what is
        started, and ends with the job at the latest. No promise that the job still runs.
        """

    def uid_of(self, user: str) -> int | None:
        """Tell the number that an account has where jobs are submitted; None: it has none.

        Raises: JobHeldUp, when nothing can be run as that account.
        """

    def tell_budgets(self, budgets: Collection[Budget]) -> None:
        """Make these budgets what the engine goes by; of others nothing is said.

        An open one lets jobs of its account in, up to `gpu_seconds` in all, as far as the
        engine counts; a closed one lets no new job in. Jobs that were submitted go on.
        What an engine cannot tell apart (shares, users) it leaves aside. After EngineDown any
        of them may have been taken in: tell all of them again.

        Raises: BudgetsHeldUp.
        """

    def usage(self, since: float, until: float = math.inf) -> Iterator[UsageRecord]:
        """Jobs that held something and ended from `since` until before `until` (since 1970).

        In no order, as they come: there may be millions. EngineDown may come before the first
        or in the middle: then some were not given. What has ended may be told minutes later,
        and by a clock that differs from ours: ask again for some time back.
        """

    def machine(self) -> Machine:
        """Tell how the machine stands; cheap, however large it is."""

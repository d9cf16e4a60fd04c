"""What the factory asks of anything that can run a job.

The factory names every job with its own `key`, so it can always ask again: a crash between
submitting and remembering loses nothing.

    submit(job)     make sure this job exists                safe to repeat
    look(keys)      what is known about these                one call for all of them
    cancel(key)     make sure it stops                       safe to repeat
    open_budget, set_budget, close_budget                    safe to repeat
    usage(since)    who held which GPUs for how long         safe to repeat

EngineError
├── EngineDown     no answer: nothing may be concluded, try again later
└── JobRejected    the engine answered no: trying again will not help

What a job finds when it runs: its working directory is its run folder; stdout and stderr
together go to `log` there and its exit status to `exit` (128 + signal number if a signal ended
it; no `exit` at all when nobody saw it end). Its environment holds PATH, HOME (the run folder),
LANG, FABRIEK_JOB (its key), FABRIEK_GPUS (numbers of its GPUs, "0,1"), on real GPUs
CUDA_VISIBLE_DEVICES, and what `Job.environment` adds: never anything of the portal's. Before it
is killed it gets SIGTERM and a short time to write a checkpoint.
"""

from collections.abc import Collection, Iterator
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class EngineError(Exception):
    pass


class EngineDown(EngineError):
    """No answer. It may be that nothing happened, it may be that everything did."""


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
    NO_ROOM = "no_room"  # the engine became smaller than what the waiting job asked for


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One piece of work.

    `folder` is seen by the portal and by the machine that runs the job, on the same path.
    `gpus` counts all of them, over all nodes. `user` is the Unix account it runs as, where the
    engine can do that; empty: the engine's own. `environment` cannot change FABRIEK_JOB,
    FABRIEK_GPUS or CUDA_VISIBLE_DEVICES.
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


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the engine said about one job.

    `elapsed_s` is how long the job has held its GPUs: 0 while it waits, cut off to whole
    seconds, and up to the engine's grace more than `timeout_s` when it had to be stopped.
    `started_at` and `ended_at` are seconds since 1970. `queue_position` 1 is the next to start;
    None: being started, or the engine does not tell. `starts_at`: when the engine expects a job
    that waits to start, since 1970.
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


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageRecord:
    """One line of the engine's own accounting: a job that held GPUs and has ended."""

    key: str
    account: str
    gpus: int
    started_at: float
    ended_at: float
    elapsed_s: int
    phase: Phase

    @property
    def gpu_seconds(self) -> int:
        return self.gpus * self.elapsed_s


class Engine(Protocol):
    """Every verb may raise EngineDown."""

    def submit(self, job: Job) -> None:
        """Make sure `job` exists. A key that is known is left as it is, even if it has ended.

        Raises: JobRejected.
        """

    def look(self, keys: Collection[str]) -> dict[str, Sighting]:
        """Sightings by key. A job the engine does not mention is absent, never 'done'."""

    def cancel(self, key: str) -> None:
        """Make sure the job stops, soon. Unknown and finished jobs are fine."""

    def open_budget(self, account: str, gpu_seconds: int) -> None:
        """Let jobs of `account` in, up to `gpu_seconds` in all; also after it was closed."""

    def set_budget(self, account: str, gpu_seconds: int) -> None:
        """Change how much `account` may use in all. A closed account stays closed."""

    def close_budget(self, account: str) -> None:
        """Let no new job of `account` in. Jobs that were submitted go on."""

    def usage(self, since: float) -> Iterator[UsageRecord]:
        """Jobs that held GPUs and ended at or after `since` (since 1970), oldest first."""

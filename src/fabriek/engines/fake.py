"""An engine that is a dictionary, for tests and for trying the factory out."""

import math
import time
from collections.abc import Collection, Iterator
from dataclasses import replace

from fabriek.engines.base import (
    Budget,
    EngineDown,
    Job,
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


class Fake:
    """Set `down` to make it silent and `refuses` to a sentence to make it say no.

    It is one node of `gpus` GPUs, unless `nodes` is set to others. `others`: records of jobs
    that somebody submitted around it. `uids`: the numbers that accounts have there.
    `has_secure_part`: whether it takes jobs that may run only there.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.seen: dict[str, Sighting] = {}
        self.budgets: dict[str, Budget] = {}
        self.down = False
        self.refuses = ""
        self.gpus = 8
        self.nodes: tuple[Node, ...] = ()
        self.others: list[UsageRecord] = []
        self.uids: dict[str, int] = {}
        self.has_secure_part = False

    def move(self, key: str, sighting: Sighting) -> None:
        """Let the job be seen like this from now on."""
        self.seen[key] = sighting

    def lose(self, key: str) -> None:
        """Forget the job, as an engine does whose accounting is purged."""
        del self.seen[key]

    def submit(self, job: Job) -> None:
        self._answer()
        if job.key in self.jobs:
            return
        if self.refuses:
            raise JobRejected(self.refuses)
        if not self.has_secure_part:
            refuse_secure(job)
        budget = self.budgets.get(job.account)
        if budget and not budget.is_open:
            raise JobRejected(f"Account {job.account} is closed.", code="account_closed")
        self.jobs[job.key] = job
        self.seen[job.key] = Sighting(Phase.QUEUED)

    def look(self, keys: Collection[str]) -> dict[str, Sighting]:
        self._answer()
        return {key: self.seen[key] for key in keys if key in self.seen}

    def cancel(self, key: str) -> None:
        self._answer()
        seen = self.seen.get(key)
        if seen and not seen.phase.is_final:
            self.seen[key] = replace(
                seen, phase=Phase.CANCELLED, reason=Reason.CANCELLED, ended_at=time.time()
            )

    def reach(self, key: str, command: tuple[str, ...]) -> tuple[str, ...]:
        self._answer()
        if key not in self.jobs:
            raise EngineDown(f"There is no job {key}.")
        return command

    def uid_of(self, user: str) -> int | None:
        self._answer()
        return self.uids.get(user)

    def tell_budgets(self, budgets: Collection[Budget]) -> None:
        self._answer()
        self.budgets |= {budget.account: budget for budget in budgets}

    def usage(self, since: float, until: float = math.inf) -> Iterator[UsageRecord]:
        self._answer()
        held = [key for key in self.jobs if key in self.seen and _held(self.seen[key])]
        ours = [self._record(key, self.seen[key]) for key in held]
        ended = [one for one in (*ours, *self.others) if since <= one.ended_at < until]
        return iter(sorted(ended, key=lambda record: record.ended_at))

    def machine(self) -> Machine:
        self._answer()
        running, waiting = self._gpus_of(Phase.RUNNING), self._gpus_of(Phase.QUEUED)
        return Machine(
            nodes=self.nodes or (self._node(sum(running)),),
            jobs_running=len(running),
            jobs_waiting=len(waiting),
            gpus_waited_for=sum(waiting),
        )

    def _gpus_of(self, phase: Phase) -> list[int]:
        return [job.gpus for key, job in self.jobs.items() if self._is(key, phase)]

    def _is(self, key: str, phase: Phase) -> bool:
        return key in self.seen and self.seen[key].phase is phase

    def _node(self, gpus_used: int) -> Node:
        state = NodeState.BUSY if gpus_used else NodeState.FREE
        return Node(name="fake", state=state, gpus=self.gpus, gpus_used=gpus_used)

    def _answer(self) -> None:
        if self.down:
            raise EngineDown("pretending to be down")

    def _record(self, key: str, seen: Sighting) -> UsageRecord:
        job = self.jobs[key]
        started_at, ended_at = seen.started_at or 0.0, seen.ended_at or 0.0
        return UsageRecord(
            identity=f"fake:{key}:{started_at}",
            key=key,
            account=job.account,
            gpus=job.gpus,
            started_at=started_at,
            ended_at=ended_at,
            elapsed_s=seen.elapsed_s,
            phase=seen.phase,
            state=seen.phase,
        )


def _held(seen: Sighting) -> bool:
    return seen.phase.is_final and seen.started_at is not None and seen.ended_at is not None

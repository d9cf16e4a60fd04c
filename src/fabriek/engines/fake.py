"""An engine that is a dictionary, for tests and for trying the factory out."""

import time
from collections.abc import Collection, Iterator
from dataclasses import replace

from fabriek.engines.base import (
    EngineDown,
    Job,
    JobRejected,
    Phase,
    Reason,
    Sighting,
    UsageRecord,
)


class Fake:
    """Set `down` to make it silent and `refuses` to a sentence to make it say no."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.seen: dict[str, Sighting] = {}
        self.budgets: dict[str, int] = {}
        self.closed: set[str] = set()
        self.down = False
        self.refuses = ""

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
        if job.account in self.closed:
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

    def open_budget(self, account: str, gpu_seconds: int) -> None:
        self._answer()
        self.budgets[account] = gpu_seconds
        self.closed.discard(account)

    def set_budget(self, account: str, gpu_seconds: int) -> None:
        self._answer()
        self.budgets[account] = gpu_seconds

    def close_budget(self, account: str) -> None:
        self._answer()
        self.closed.add(account)

    def usage(self, since: float) -> Iterator[UsageRecord]:
        self._answer()
        records = [self._record(key, seen) for key, seen in self.seen.items() if _held(seen)]
        ended = [record for record in records if record.ended_at >= since]
        return iter(sorted(ended, key=lambda record: record.ended_at))

    def _answer(self) -> None:
        if self.down:
            raise EngineDown("pretending to be down")

    def _record(self, key: str, seen: Sighting) -> UsageRecord:
        job = self.jobs[key]
        started_at, ended_at = seen.started_at or 0.0, seen.ended_at or 0.0
        return UsageRecord(
            key=key,
            account=job.account,
            gpus=job.gpus,
            started_at=started_at,
            ended_at=ended_at,
            elapsed_s=seen.elapsed_s,
            phase=seen.phase,
        )


def _held(seen: Sighting) -> bool:
    return seen.phase.is_final and seen.started_at is not None and seen.ended_at is not None

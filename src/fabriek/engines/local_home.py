"""The files in which the local engine keeps what it knows; all else may die at any moment.

    desk               locked by whoever submits, cancels, starts or buries a job
    new/               a job being written: no job yet
    jobs/<key>/        job.json, and in time: lock, start.json, beat, cancel, end.json, trouble
    queue/<number>-<key>   waiting, first come first served
    live/<number>-<key>    started and not known to have ended
    slots/<number>     one per GPU
    budgets.json

Locks are flocks: the kernel lets go of them when their holder dies, however it dies. The
supervisor of a job holds the job's `lock` and its slots, so "locked" is what "alive" means
here; no pid is ever trusted.
"""

import json
import os
import secrets
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from fabriek.engines.base import Budget, Job, Phase, Reason, Sighting, UsageRecord
from fabriek.engines.locks import try_lock

DESK_PATIENCE_S = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """The moment a job got its GPUs, and what is needed to find its processes again."""

    boot: str
    mark: str
    supervisor: int
    supervisor_ticks: int
    monotonic_s: float
    started_at: float


class Home:
    def __init__(self, root: Path) -> None:
        self.root = root

    def make(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        for name in ("new", "jobs", "queue", "live", "slots"):
            (self.root / name).mkdir(mode=0o700, exist_ok=True)

    @contextmanager
    def desk(self) -> Iterator[None]:
        """Be the only one to change what is written here, among threads and processes."""
        handle = _open(self.root / "desk")
        try:
            # Not for ever: one process that is stopped must not stop all the others.
            until = time.monotonic() + DESK_PATIENCE_S
            while not try_lock(handle):
                if time.monotonic() > until:
                    raise TimeoutError("somebody keeps the desk of the local engine locked")
                time.sleep(0.002)
            yield
        finally:
            os.close(handle)

    def folder(self, key: str) -> Path:
        return self.root / "jobs" / key

    def knows(self, key: str) -> bool:
        return (self.folder(key) / "job.json").exists()

    def add(self, job: Job) -> None:
        """Write the job whole, then let it appear by one rename. Needs the desk."""
        draft = self.root / "new" / job.key
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        try:
            write_whole(draft / "job.json", asdict(job) | {"folder": str(job.folder)})
            # First its place in the queue: a place without a job is harmless, a job without
            # a place would wait for ever.
            (self.root / "queue" / f"{self._next_number():012d}-{job.key}").touch()
            draft.rename(self.folder(job.key))
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        _sync(self.root / "jobs")

    def job(self, key: str) -> Job:
        said = json.loads((self.folder(key) / "job.json").read_text())
        return Job(
            key=said["key"],
            account=said["account"],
            folder=Path(said["folder"]),
            command=tuple(said["command"]),
            gpus=said["gpus"],
            timeout_s=said["timeout_s"],
            nodes=said["nodes"],
            environment=tuple((name, value) for name, value in said["environment"]),
        )

    def entries(self, place: str) -> list[Path]:
        folder = self.root / place
        return [folder / name for name in sorted(os.listdir(folder))]  # noqa: PTH208 sorts fast

    def entry(self, place: str, key: str) -> Path | None:
        named = (one for one in self.entries(place) if key_of(one) == key)
        return next(named, None)

    def started(self, key: str, start: Start) -> None:
        write_whole(self.folder(key) / "start.json", asdict(start))
        if place := self.entry("queue", key):
            place.rename(self.root / "live" / place.name)

    def start(self, key: str) -> Start | None:
        said = _read(self.folder(key) / "start.json")
        return Start(**json.loads(said)) if said else None

    def last_beat_s(self, key: str) -> float:
        """How long the job had its GPUs when its supervisor was last known to live."""
        said = _read(self.folder(key) / "beat").split()
        return float(said[0]) if said else 0.0

    def wish_cancelled(self, key: str) -> None:
        (self.folder(key) / "cancel").touch()

    def is_cancel_wished(self, key: str) -> bool:
        return (self.folder(key) / "cancel").exists()

    def ended(self, job: Job, sighting: Sighting) -> None:
        """Write how it ended, once; then take it out of the queue or the living."""
        end = self.folder(job.key) / "end.json"
        if not end.exists():
            said = asdict(sighting) | {"account": job.account, "gpus": job.gpus}
            write_whole(end, said)
        for place in ("queue", "live"):
            if entry := self.entry(place, job.key):
                entry.unlink(missing_ok=True)

    def has_ended(self, key: str) -> bool:
        return (self.folder(key) / "end.json").exists()

    def end(self, key: str) -> Sighting | None:
        said = _read(self.folder(key) / "end.json")
        if not said:
            return None
        end = json.loads(said)
        return Sighting(
            Phase(end["phase"]),
            end["elapsed_s"],
            end["reason"],
            exit_code=end["exit_code"],
            started_at=end["started_at"],
            ended_at=end["ended_at"],
        )

    def usage(self, since: float, until: float) -> list[UsageRecord]:
        with os.scandir(self.root / "jobs") as jobs:
            told = (_record(Path(job.path), since) for job in jobs)
            records = [record for record in told if record and record.ended_at < until]
        return sorted(records, key=lambda record: (record.ended_at, record.key))

    def is_open(self, account: str) -> bool:
        """Whether a budget lets jobs in; one of which nothing was ever said does."""
        return bool(self._budgets().get(account, {}).get("is_open", True))

    def keep_budgets(self, budgets: Collection[Budget]) -> None:
        """Needs the desk."""
        told = {
            budget.account: {"gpu_seconds": budget.gpu_seconds, "is_open": budget.is_open}
            for budget in budgets
        }
        write_whole(self.root / "budgets.json", self._budgets() | told)

    def _budgets(self) -> dict[str, dict[str, object]]:
        said: dict[str, dict[str, object]] = json.loads(
            _read(self.root / "budgets.json") or "{}"
        )
        return said

    def try_lock_job(self, key: str) -> int | None:
        """Give the open lock, or None while the job's supervisor holds it."""
        return _try_open_locked(self.folder(key) / "lock")

    def free_slots(self, count: int) -> dict[int, int]:
        """Those of slots 0 to `count` that are free, each with its open lock."""
        locks = {
            slot: _try_open_locked(self.root / "slots" / str(slot)) for slot in range(count)
        }
        return {slot: lock for slot, lock in locks.items() if lock is not None}

    def count_free_slots(self, count: int) -> int:
        free = self.free_slots(count)
        for lock in free.values():
            os.close(lock)
        return len(free)

    def _next_number(self) -> int:
        # The queue first: what moves to the living meanwhile is then seen twice, not never.
        last = [place[-1].name for name in ("queue", "live") if (place := self.entries(name))]
        return 1 + max((int(name.partition("-")[0]) for name in last), default=0)


def key_of(entry: Path) -> str:
    return entry.name.partition("-")[2]


def vanished(start: Start, elapsed_s: float) -> Sighting:
    return replace(
        Sighting(Phase.FAILED, int(elapsed_s), Reason.VANISHED),
        started_at=start.started_at,
        ended_at=start.started_at + elapsed_s,
    )


def write_whole(path: Path, said: object) -> None:
    """Let `path` appear with all of its content, on the disk, or not at all."""
    # A name of its own: somebody else may write the same at this moment.
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("x") as file:
            json.dump(said, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def _record(folder: Path, since: float) -> UsageRecord | None:
    path = folder / "end.json"
    try:
        # The day of margin is for clocks that were put right since.
        said = "" if path.stat().st_mtime < since - 86_400 else path.read_text()
    except FileNotFoundError:
        return None
    end = json.loads(said or "{}")
    if not end or end["started_at"] is None or end["ended_at"] < since:
        return None
    names = ("account", "gpus", "started_at", "ended_at", "elapsed_s")
    return UsageRecord(
        identity=f"local:{folder.name}",
        key=folder.name,
        phase=Phase(end["phase"]),
        state=end["phase"],
        tres=f"gres/gpu={end['gpus']}",
        # Written once, when the job was submitted.
        submitted_at=(folder / "job.json").stat().st_mtime,
        **{name: end[name] for name in names},
    )


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _try_open_locked(path: Path) -> int | None:
    handle = _open(path)
    if try_lock(handle):
        return handle
    os.close(handle)
    return None

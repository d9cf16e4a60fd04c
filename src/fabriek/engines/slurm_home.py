"""What the Slurm engine remembers of its own: which jobs it asked for, and where they run.

    jobs/<key>/lock       locked by whoever submits it, and by the sbatch they started
    jobs/<key>/job.json   written before sbatch is called: it may have been submitted, as whom
    jobs/<key>/number     written after: it was
    jobs/<key>/cancel     its end was asked for
    jobs/<key>/unclear    sbatch gave no answer

Locks are flocks: the kernel lets go of them when the last holder dies, however it dies.
"""

import json
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fabriek.engines.base import Job
from fabriek.engines.local_home import write_whole
from fabriek.engines.locks import try_lock
from fabriek.engines.slurm_program import STOPPED_FOR, TIMES

FOLDER = "slurm"  # below the home of engines: another may have had that before
LOCK_PATIENCE_S = 10.0
TRAIL_BYTES_MAX = 65_536
TIME = re.compile(r"^(start|end) (\d{1,12}) ", re.ASCII | re.MULTILINE)
LATEST = 32_503_680_000  # the year 3000; Python knows no dates after 9999
EXIT = re.compile(r"\d{1,3}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trail:
    """What a job left in its run folder, where it may write what it likes.

    `held_s`: all of its stretches that had an end. `stopped_for`: why its own program stopped
    the work, in a word of `slurm_program`.
    """

    exit_code: int | None = None
    stopped_for: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    held_s: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """A job that sbatch took under this number, between two moments of our clock."""

    number: str
    asked_at: float
    answered_at: float


class Home:
    def __init__(self, root: Path) -> None:
        self.root = root
        # Asked for each living job at each pass; what was written never changes.
        self._users: dict[str, str] = {}
        self._sent: dict[str, Sent] = {}

    def make(self) -> None:
        """Nobody but us looks into it: here stand the keys of everybody's jobs."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.root / "jobs").mkdir(mode=0o700, exist_ok=True)

    @contextmanager
    def locked(self, key: str) -> Iterator[int]:
        """Be the only one to submit `key`; gives the open lock, for sbatch to hold too."""
        folder = self._folder(key)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            until = time.monotonic() + LOCK_PATIENCE_S
            while not try_lock(handle):
                if time.monotonic() > until:
                    raise TimeoutError(f"somebody else submits {key}")
                time.sleep(0.005)
            yield handle
        finally:
            os.close(handle)

    def knows(self, key: str) -> bool:
        return (self._folder(key) / "job.json").exists()

    def intend(self, job: Job) -> None:
        """Write down, durably, that `job` will be submitted now."""
        folder = self._folder(job.key)
        said: dict[str, object] = {"folder": str(job.folder), "account": job.account}
        said |= {"user": job.user, "timeout_s": job.timeout_s, "asked_at": time.time()}
        write_whole(folder / "job.json", said)
        self._users.pop(job.key, None)

    def sent(self, key: str, number: str) -> None:
        (self._folder(key) / "number").write_text(number)
        (self._folder(key) / "unclear").unlink(missing_ok=True)

    def forget(self, key: str) -> None:
        """Nothing was made of it."""
        (self._folder(key) / "job.json").unlink(missing_ok=True)

    def number(self, key: str) -> str:
        return _read(self._folder(key) / "number")

    def sent_as(self, key: str) -> Sent | None:
        """Give what is known once sbatch answered; nothing while no number is known."""
        if key in self._sent:
            return self._sent[key]
        number, said = self.number(key), _read(self._folder(key) / "job.json")
        if not number.isdigit() or not said:
            return None
        self._sent[key] = Sent(
            number=number,
            asked_at=float(json.loads(said)["asked_at"]),
            answered_at=(self._folder(key) / "number").stat().st_mtime,
        )
        return self._sent[key]

    def unclear(self, key: str) -> None:
        (self._folder(key) / "unclear").touch()

    def unclear_for_s(self, key: str) -> float | None:
        """How long ago sbatch gave no answer, if it did not."""
        with suppress(FileNotFoundError):
            return time.time() - (self._folder(key) / "unclear").stat().st_mtime
        return None

    def user(self, key: str) -> str:
        """As whom it was submitted; empty: as ourselves, or we never heard of it."""
        if key in self._users:
            return self._users[key]
        said = _read(self._folder(key) / "job.json")
        user = str(json.loads(said).get("user", "")) if said else ""
        if said:
            self._users[key] = user
        return user

    def timeout_s(self, key: str) -> int | None:
        said = _read(self._folder(key) / "job.json")
        found = json.loads(said).get("timeout_s") if said else None
        return int(found) if found is not None else None

    def asked_at(self, key: str) -> float | None:
        said = _read(self._folder(key) / "job.json")
        return float(json.loads(said)["asked_at"]) if said else None

    def wish_cancelled(self, key: str) -> None:
        if self.knows(key):
            (self._folder(key) / "cancel").touch()

    def is_cancel_wished(self, key: str) -> bool:
        return (self._folder(key) / "cancel").exists()

    def trail(self, key: str) -> Trail:
        """Read what the job left in its folder; nothing if we never heard of it."""
        said = _read(self._folder(key) / "job.json")
        return trail_in(Path(json.loads(said)["folder"])) if said else Trail()

    def _folder(self, key: str) -> Path:
        return self.root / "jobs" / key


def trail_in(folder: Path) -> Trail:
    code = _read_strange(folder / "exit").strip()
    stretches: list[tuple[int, int | None]] = []
    for word, said in TIME.findall(_read_strange(folder / TIMES)):
        at = min(int(said), LATEST)
        if word == "start":
            stretches.append((at, None))
        elif stretches:
            stretches[-1] = (stretches[-1][0], at)
    ends = [end for _, end in stretches if end]
    return Trail(
        exit_code=int(code) if EXIT.fullmatch(code) else None,
        stopped_for=_read_strange(folder / STOPPED_FOR).strip(),
        started_at=float(stretches[0][0]) if stretches else None,
        ended_at=float(ends[-1]) if ends else None,
        held_s=sum(max(end - start, 0) for start, end in stretches if end),
    )


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def _read_strange(path: Path) -> str:
    """Read a little of a file that a job may have made into a pipe, a link, a flood."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return ""
    try:
        is_file = stat.S_ISREG(os.fstat(handle).st_mode)
        said = os.read(handle, TRAIL_BYTES_MAX) if is_file else b""
    except OSError:
        return ""
    finally:
        os.close(handle)
    return said.decode("utf-8", "replace")

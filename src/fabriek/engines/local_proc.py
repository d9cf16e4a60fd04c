"""What Linux tells about processes: who is still the same one, and whom to end."""

import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


def boot_id() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def real_gpus() -> int:
    return sum(1 for _ in Path("/dev").glob("nvidia[0-9]*"))


def cores(group: Path = Path("/sys/fs/cgroup")) -> int:
    """Tell on how many cores we may compute at once: by affinity, and the quota of a container.

    Of a part of a core it is felt in how fast that one is.
    """
    may = len(os.sched_getaffinity(0))
    with suppress(OSError, ValueError):  # no such group, or no quota: "max"
        quota, period = (group / "cpu.max").read_text().split()
        may = min(may, max(1, int(quota) // int(period)))
    return may


def gpu_kind(told_by: Path = PROC / "driver/nvidia/gpus") -> str:
    """Name the GPUs as their driver does; "" where there is none."""
    found = set()
    for told in told_by.glob("*/information"):
        lines = dict(line.partition(":")[::2] for line in told.read_text().splitlines())
        found.add(lines.get("Model", "").strip())
    return ", ".join(sorted(found - {""}))


def start_ticks(pid: int) -> int | None:
    """When `pid` began, in clock ticks since boot; with the pid it names one process only."""
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def nudge(pid: int, ticks: int) -> None:
    """Wake the process that began at `ticks`. SIGCONT, since it harms nobody who is awake."""
    with suppress(OSError):
        handle = os.pidfd_open(pid)
        try:
            if start_ticks(pid) == ticks:
                signal.pidfd_send_signal(handle, signal.SIGCONT)
        finally:
            os.close(handle)


def kill_marked(mark: str, patience_s: float = 2.0) -> None:
    """End every process that has `mark` in its environment, and wait until they are gone.

    A pid may have been given to somebody else meanwhile; the mark, made for one job, may not.
    What wiped its own environment escapes: rather that than ending a stranger.
    """
    until = time.monotonic() + patience_s
    while (handles := list(_marked(mark))) and time.monotonic() < until:
        for handle in handles:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        _wait_gone(handles, until)


def kill_descendants(patience_s: float = 5.0) -> None:
    """End and reap all that descends from this process, which must be a subreaper."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        for pid in _descendants(os.getpid()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.005)


def out_of_memory_kills() -> int:
    """How many processes the kernel has ended for want of memory since boot; 0 if not told."""
    with suppress(OSError, ValueError):
        for line in (PROC / "vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def _marked(mark: str) -> Iterator[int]:
    wanted = mark.encode()
    for pid in _pids():
        with suppress(OSError):
            # The handle first: then the environment read is that of the process it holds,
            # or the process is dead and the signal reaches nobody.
            handle = os.pidfd_open(pid)
            if wanted in (PROC / str(pid) / "environ").read_bytes().split(b"\0"):
                yield handle
            else:
                os.close(handle)


def _wait_gone(handles: list[int], until: float) -> None:
    for handle in handles:
        gone = select.poll()
        gone.register(handle, select.POLLIN)
        gone.poll(max(0.0, until - time.monotonic()) * 1000)
        os.close(handle)


def _descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for other in _pids():
        if fields := _stat(other):
            children.setdefault(int(fields[1]), []).append(other)
    found = list(children.get(pid, ()))
    for other in found:  # grows while it is walked
        found.extend(children.get(other, ()))
    return found


def _pids() -> list[int]:
    return [int(name) for name in os.listdir(PROC) if name.isdigit()]  # noqa: PTH208 names only


def _stat(pid: int) -> list[str]:
    """Split /proc/<pid>/stat after the name, which may itself hold any sign."""
    try:
        return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []

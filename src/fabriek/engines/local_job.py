"""The supervisor of one local job: gives it its limits, sees how it ends, writes that down.

Started by local_desk; one process with one thread, so that the death of this process is the
death of its child (PR_SET_PDEATHSIG looks at the thread). It imports the standard library only.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from fabriek.engines.base import Job, Phase, Reason, Sighting
from fabriek.engines.local_desk import LANG, PATH, Knobs, tend
from fabriek.engines.local_home import Home, Start
from fabriek.engines.local_proc import (
    boot_id,
    kill_descendants,
    out_of_memory_kills,
    real_gpus,
    start_ticks,
)

# prctl(2), Linux: /usr/include/linux/prctl.h
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
# Rather the job than the portal when memory runs out; any user may raise it, proc(5).
OOM_SCORE_ADJ = "500"
SHELL_CANNOT_START = 127
SHELL_SIGNAL_BASE = 128
# How long to go on trying to write the end of a job on a full disk.
WRITE_PATIENCE_S = 600.0

WAKERS = {signal.SIGCHLD, signal.SIGCONT, signal.SIGTERM}


@dataclass(slots=True)
class Watch:
    """What the supervisor knows while its job runs."""

    home: Home
    knobs: Knobs
    job: Job
    start: Start
    child: int
    beat: int
    oom_kills: int
    stopped: Reason | None = None
    kill_at: float = float("inf")

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.start.monotonic_s


def main(arguments: Sequence[str]) -> None:
    root, key, gpus, grace_s, beat_s, lock, *slots = arguments
    home = Home(Path(root))
    knobs = Knobs(gpus=int(gpus), grace_s=float(grace_s), beat_s=float(beat_s))
    locks = {int(slot): int(handle) for slot, _, handle in (s.partition(":") for s in slots)}
    for handle in (int(lock), *locks.values()):
        os.set_inheritable(handle, False)  # or the job would keep its GPUs locked after us
    # Blocked signals wait for sigtimedwait, so none is lost between two looks.
    signal.pthread_sigmask(signal.SIG_BLOCK, WAKERS)
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    supervise(home, knobs, home.job(key), sorted(locks), libc)
    for handle in (*locks.values(), int(lock)):
        os.close(handle)
    with home.desk():
        tend(home, knobs)


def supervise(
    home: Home, knobs: Knobs, job: Job, slots: Sequence[int], libc: ctypes.CDLL
) -> None:
    """Run the job to its end and write the end down."""
    if home.is_cancel_wished(job.key):
        home.ended(job, Sighting(Phase.CANCELLED, 0, Reason.CANCELLED, ended_at=time.time()))
        return
    watch = _begin(home, knobs, job, slots, libc)
    exit_code = _follow(watch)
    kill_descendants()
    sighting = _outcome(watch, exit_code)
    _write_exit(job.folder, sighting.exit_code)
    _write_end(watch, sighting)


def _begin(
    home: Home, knobs: Knobs, job: Job, slots: Sequence[int], libc: ctypes.CDLL
) -> Watch:
    start = Start(
        boot=boot_id(),
        mark=os.urandom(16).hex(),
        supervisor=os.getpid(),
        supervisor_ticks=start_ticks(os.getpid()) or 0,
        monotonic_s=time.monotonic(),
        started_at=time.time(),
    )
    beat = os.open(home.folder(job.key) / "beat", os.O_WRONLY | os.O_CREAT, 0o600)
    # The start is written before there is a process, so that no process can be without one.
    home.started(job.key, start)
    with suppress(OSError):
        (job.folder / "exit").unlink(missing_ok=True)  # of an earlier attempt in this folder
    environment = environment_of(job, slots, start.mark)
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _become(job, environment, libc, parent)
    return Watch(home, knobs, job, start, child, beat, out_of_memory_kills())


def environment_of(job: Job, slots: Sequence[int], mark: str) -> dict[str, str]:
    """All that the job may know: nothing is handed down from the portal."""
    numbers = ",".join(map(str, slots))
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{PATH}",
        "HOME": str(job.folder),
        "LANG": LANG,
        **dict(job.environment),
        "FABRIEK_JOB": job.key,
        "FABRIEK_MARK": mark,
        "FABRIEK_GPUS": numbers,
    }
    if devices := real_gpus():
        visible = sorted({slot % devices for slot in slots})
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, visible))
    return environment


def _become(job: Job, environment: dict[str, str], libc: ctypes.CDLL, parent: int) -> NoReturn:
    """Turn this forked process into the job."""
    try:
        os.setsid()
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above could see to that
            os._exit(SHELL_CANNOT_START)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(OOM_SCORE_ADJ)
        for ignored in (signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(ignored, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.chdir(job.folder)
        log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.execvpe(job.command[0], job.command, environment)  # noqa: S606 the point of it all
    except OSError as error:
        os.write(2, f"This job could not be started: {error}\n".encode())
    finally:
        os._exit(SHELL_CANNOT_START)


def _follow(watch: Watch) -> int:
    """Wait until the job's first process ends, or end it. Gives its exit code, or -signal."""
    woken = 0
    while (status := _status(watch.child)) is None:
        _stop_if_due(watch, terminated=woken == signal.SIGTERM)
        watch.oom_kills = out_of_memory_kills()
        _write_beat(watch)
        got = signal.sigtimedwait(WAKERS, _patience_s(watch))
        woken = got.si_signo if got else 0
    return os.waitstatus_to_exitcode(status)


def _status(child: int) -> int | None:
    """Ask for the status of `child`, if it ended; reap orphans of the job on the way."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == child:
            return status
        if pid == 0:
            return None


def _stop_if_due(watch: Watch, *, terminated: bool) -> None:
    if watch.stopped is None:
        watch.stopped = _why_stop(watch, terminated=terminated)
        if watch.stopped:
            watch.kill_at = time.monotonic() + watch.knobs.grace_s
            _signal_group(watch.child, signal.SIGTERM)
    elif time.monotonic() >= watch.kill_at:
        watch.kill_at += watch.knobs.beat_s  # once more, should that not be the end of it
        _signal_group(watch.child, signal.SIGKILL)


def _why_stop(watch: Watch, *, terminated: bool) -> Reason | None:
    if watch.home.is_cancel_wished(watch.job.key):
        return Reason.CANCELLED
    if watch.elapsed_s >= watch.job.timeout_s:
        return Reason.TIMEOUT
    return Reason.KILLED if terminated else None


def _signal_group(child: int, number: signal.Signals) -> None:
    # Not reaped yet, so the pid is still its own. No group: it has not come to setsid yet.
    try:
        os.killpg(child, number)
    except ProcessLookupError:
        os.kill(child, number)


def _patience_s(watch: Watch) -> float:
    due = [watch.knobs.beat_s, watch.kill_at - time.monotonic()]
    if watch.stopped is None:
        due.append(watch.job.timeout_s - watch.elapsed_s)
    return max(0.001, min(due))


def _write_beat(watch: Watch) -> None:
    with suppress(OSError):  # in place: on a full disk too
        os.pwrite(watch.beat, f"{watch.elapsed_s:.3f}\n".encode(), 0)


def _outcome(watch: Watch, code: int) -> Sighting:
    phase, reason = verdict(watch.stopped, code, out_of_memory_kills() > watch.oom_kills)
    return Sighting(
        phase,
        int(watch.elapsed_s),
        reason,
        exit_code=code if code >= 0 else SHELL_SIGNAL_BASE - code,
        started_at=watch.start.started_at,
        ended_at=time.time(),
    )


def verdict(stopped: Reason | None, code: int, memory_ran_out: bool) -> tuple[Phase, str]:
    """How a job ended, from what we did to it and the code (or -signal) it ended with.

    `memory_ran_out`: the kernel ended some process for want of memory in the last heartbeat. It
    does not say which, so it is believed only of a job that was ended by SIGKILL.
    """
    if stopped:
        phase = Phase.CANCELLED if stopped is Reason.CANCELLED else Phase.FAILED
        return phase, stopped
    if code == 0:
        return Phase.SUCCEEDED, ""
    if memory_ran_out and code in {-signal.SIGKILL, SHELL_SIGNAL_BASE + signal.SIGKILL}:
        return Phase.FAILED, Reason.OUT_OF_MEMORY
    return Phase.FAILED, Reason.KILLED if code < 0 else Reason.EXIT


def _write_exit(folder: Path, exit_code: int | None) -> None:
    with suppress(OSError):  # the folder is the job's own: it may have filled or removed it
        part = folder / "exit.part"
        part.write_text(f"{exit_code}\n")
        part.replace(folder / "exit")


def _write_end(watch: Watch, sighting: Sighting) -> None:
    """Go on while the disk is full: the job's lock, still held, says it is not lost."""
    until = time.monotonic() + WRITE_PATIENCE_S
    while True:
        try:
            watch.home.ended(watch.job, sighting)
        except FileNotFoundError:  # the home is gone: there is nobody to tell
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(watch.knobs.beat_s)
        else:
            return


if __name__ == "__main__":
    main(sys.argv[1:])

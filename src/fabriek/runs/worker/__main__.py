"""Entry: close the walls, show and count what was asked, write what came of it."""

import logging
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from fabriek.quality.worker import confine

# Before what follows is read: it starts threads, and then no network can be left any more.
NO_NETWORK = confine.leave_network()

from fabriek.quality.worker.job import Job, Json, Trouble  # noqa: E402
from fabriek.runs.worker import checks, plain, seen  # noqa: E402

# Address space is counted generously: libraries reserve what they never use.
RESERVED_BYTES = 2 * 2**30
# Beside its own folder: Python and its libraries, and how large this machine is.
SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/dev/urandom",
          "/proc/self", "/proc/meminfo", "/proc/cpuinfo", "/sys/devices/system/cpu",
          "/sys/fs/cgroup")  # fmt: skip


def main() -> int:
    logging.disable(logging.CRITICAL)
    job = Job.read(Path(sys.argv[1]).resolve())
    confine.limit(
        confine.Limits(
            memory_bytes=job.memory_bytes + RESERVED_BYTES,
            file_bytes=job.disk_bytes,
            cpu_s=int(job.asked["cpu_s"]),
        )
    )
    tempfile.tempdir = str(job.temporary)
    held = _held(job)
    signal.signal(signal.SIGALRM, _too_slow)
    signal.setitimer(signal.ITIMER_REAL, float(job.asked["seconds"]))
    try:
        is_safe = held.keep_files or not job.has_links()
        result = _done(job, held) if is_safe else {"trouble": "no_walls"}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        shutil.rmtree(job.temporary, ignore_errors=True)
    job.finish(result | {"held": held.as_json()})
    return 0


def _too_slow(_signal: int, _frame: FrameType | None) -> None:
    raise Trouble("too_slow")


def _held(job: Job) -> confine.Held:
    """Close the walls: to read is its folder, to write only what it makes in there."""
    source = Path(__file__).resolve().parents[3]
    places = [Path(sys.prefix), Path(sys.base_prefix), *map(Path, SYSTEM)]
    for ours in job.writable:
        ours.mkdir(exist_ok=True)
    return confine.hold(
        readable=[job.folder, source, *places],
        writable=[*job.writable, Path("/dev/null")],
        no_network=NO_NETWORK,
    )


def _done(job: Job, held: confine.Held) -> Json:
    """Do it; whatever goes wrong becomes a code."""
    try:
        if "recipe" in job.asked:
            checks.require_own(job, keeps_files=held.keep_files)
            return checks.checked(job)
        return plain.seen(job) if "vocabulary" in job.asked else seen.seen(job)
    except Trouble as trouble:
        return {"trouble": trouble.code, "facts": trouble.facts}
    except MemoryError:
        return {"trouble": "too_much_memory"}
    except OSError:
        return {"trouble": "broken_file"}


if __name__ == "__main__":
    sys.exit(main())

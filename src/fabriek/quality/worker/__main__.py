"""Entry: close the walls, do the one thing that was asked, write what came of it."""

import logging
import shutil
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from fabriek.quality.worker import confine

# Before what follows is read: it starts threads, and then no network can be left any more.
NO_NETWORK = confine.leave_network()

import duckdb  # noqa: E402

from fabriek.quality.worker import engine, first_rows, look  # noqa: E402
from fabriek.quality.worker.job import Job, Json, Trouble  # noqa: E402
from fabriek.quality.worker.names import Names  # noqa: E402

# Address space is counted generously: libraries reserve what they never use.
RESERVED_BYTES = 3 * 2**30
NAMES_BYTES = 4 * 2**30
FULL = {27, 28, 122}  # errno: larger than a file may be, no room, over the quota
# Beside its own folder: Python and its libraries, and how large this machine is.
SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/dev/urandom",
          "/proc/self", "/proc/meminfo", "/proc/cpuinfo", "/sys/devices/system/cpu",
          "/sys/fs/cgroup")  # fmt: skip


def main() -> int:
    logging.disable(logging.CRITICAL)
    folder = Path(sys.argv[1]).resolve()
    job = Job.read(folder)
    job.secret = sys.stdin.readline().strip()
    names = Names(job.asked.get("names") or (), memory_bytes=NAMES_BYTES)
    confine.limit(
        confine.Limits(
            memory_bytes=job.memory_bytes + RESERVED_BYTES,
            file_bytes=job.disk_bytes,
            cpu_s=int(job.asked["cpu_s"]),
        )
    )
    tempfile.tempdir = str(job.temporary)  # the only place where libraries may leave things
    held = _held(job)
    try:
        # What is linked is the store's own: it may not be read where it could be changed.
        is_safe = held.keep_files or not job.has_links()
        result = _done(job, names) if is_safe else {"trouble": "no_walls", "facts": {}}
    finally:
        names.close()
        shutil.rmtree(job.temporary, ignore_errors=True)
    job.finish(result | {"held": held.as_json()})
    return 0


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


def _done(job: Job, names: Names) -> Json:
    """Do it; whatever goes wrong becomes a code, never a text that may hold a value."""
    try:
        if job.asked["kind"] == "first_rows":
            return first_rows.first_rows(job)
        return _treated(job, names) if job.asked["kind"] == "treat" else look.look(job, names)
    except Trouble as trouble:
        return {"trouble": trouble.code, "facts": trouble.facts}
    except duckdb.Error as error:
        return {"trouble": engine.trouble_of(error).code, "facts": {}}
    except MemoryError:
        return {"trouble": "too_much_memory", "facts": {}}
    except OSError as error:
        code = "disk_full" if error.errno in FULL else "broken_file"
        return {"trouble": code, "facts": {}}


def _treated(job: Job, names: Names) -> Json:
    # Loaded here: what writes Parquet takes longer to load than a look at a small table.
    treat = import_module("fabriek.quality.worker.treat")
    result: Json = treat.treat(job, names)
    return result


if __name__ == "__main__":
    sys.exit(main())

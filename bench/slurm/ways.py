"""The ways in which a job comes to stand in the queue, ours and those of neighbours."""

import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from fabriek.engines.base import Job
from fabriek.engines.slurm import Slurm

TIMEOUT_S = 3600
SUBMITIT = """
import json, sys, time, submitit
account, partition, times, folder = sys.argv[1:]
executor = submitit.AutoExecutor(folder=folder, cluster="slurm")
executor.update_parameters(slurm_partition=partition, slurm_account=account, slurm_qos=account,
                           timeout_min=60, slurm_gpus_per_node=1)
took = []
for _ in range(int(times)):
    start = time.perf_counter()
    executor.submit(len, ())
    took.append(time.perf_counter() - start)
print(json.dumps(took))
"""


def said(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return done.stdout


def empty() -> None:
    """End all that waits, and wait until it is gone."""
    said("scancel", "--quiet", "--partition=bench")
    until = time.monotonic() + 60
    while said("squeue", "--noheader", "--partition=bench") and time.monotonic() < until:
        time.sleep(0.2)


def timed(work: Callable[[], object], times: int) -> list[float]:
    took = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return took


def sbatch(account: str, partition: str, *, times: int) -> list[float]:
    """Submit the barest job, as a program of one's own would."""
    words = ["sbatch", "--parsable", f"--account={account}", f"--qos={account}"]
    words += [f"--partition={partition}", "--gpus-per-node=1", "--time=60", "--wrap=true"]
    words += ["--output=/dev/null", "--chdir=/"]
    return timed(partial(said, *words), times)


def engine(made: Slurm, account: str, *, times: int) -> list[float]:
    keys = iter([f"bench-{secrets.token_hex(8)}" for _ in range(times)])
    return timed(lambda: _submit(made, account, next(keys)), times)


def fill(made: Slurm, account: str, keys: Sequence[str]) -> float:
    """Submit a job for each key, and give how many came to stand in the queue in a second."""
    start = time.perf_counter()
    for key in keys:
        _submit(made, account, key)
    return len(keys) / (time.perf_counter() - start)


def submitit(account: str, partition: str, *, times: int) -> list[float] | None:
    """Submit through it from an environment of its own; None where it cannot be had."""
    with tempfile.TemporaryDirectory(prefix="fabriek-bench-submitit-") as folder:
        python = Path(folder) / "venv" / "bin" / "python"
        try:
            said(sys.executable, "-m", "venv", str(python.parents[1]))
            said(str(python), "-m", "pip", "install", "--quiet", "submitit")
            told = said(
                str(python), "-c", SUBMITIT, account, partition, str(times), f"{folder}/jobs"
            )
        except (OSError, subprocess.CalledProcessError):
            return None
        took: list[float] = json.loads(told.splitlines()[-1])
        return took


def _submit(made: Slurm, account: str, key: str) -> None:
    job = Job(
        key=key,
        account=account,
        folder=Path("/tmp"),  # noqa: S108  nothing of these ever runs
        command=("true",),
        gpus=1,
        timeout_s=TIMEOUT_S,
    )
    made.submit(job)

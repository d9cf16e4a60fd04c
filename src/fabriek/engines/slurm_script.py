"""A job in Slurm's words: the options of sbatch, all of them ours, and the script it runs.

What the script does is said in slurm_program.py. It stops the work itself, since Slurm's own
limits are whole minutes.
"""

import os
import re
import shlex
import sys
from pathlib import Path

from fabriek.engines import slurm_program as program
from fabriek.engines.base import Job, JobRejected
from fabriek.engines.slurm_program import LOST

# A key is also a folder's name and a word in a list with commas.
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
# Slurm writes accounts in small letters.
ACCOUNT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
PARTITION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._,-]*", re.ASCII)
PATH = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
SCRIPT_BYTES_MAX = 3 * 2**20  # Slurm's MaxScriptSize is 4 MiB
# Linux takes no longer word in a command (MAX_ARG_STRLEN), and srun is given it as one.
NODE_BYTES_MAX = 2**17 - 1
MINUTE_S = 60
OURS_TO_SAY = (
    "FABRIEK_GPUS",
    "CUDA_VISIBLE_DEVICES",
    "FABRIEK_NODES",
    "FABRIEK_NODE",
    "FABRIEK_FIRST",
    "FABRIEK_MEETING",
)


def options(job: Job, *, partition: str = "", wall_s: int = 0) -> list[str]:
    """Make the closed list of what is said to sbatch.

    `wall_s`: how long one job may be; what is longer becomes a chain of them. 0: no limit.

    The environment is the almost empty one that sbatch itself has. `--export=NONE` and `NIL`
    would be worse: slurmd then runs the account's login shell and takes what that has.
    """
    longest_s = min(job.timeout_s, wall_s) if wall_s else job.timeout_s
    minutes = -(-longest_s // MINUTE_S)
    return [
        "--parsable",
        f"--job-name={job.key}",
        f"--account={job.account}",
        f"--qos={job.account}",
        f"--nodes={job.nodes}-{job.nodes}",
        "--ntasks-per-node=1",
        f"--gpus-per-node={job.gpus // job.nodes}",
        f"--time={minutes}",
        "--chdir=/",
        "--output=/dev/null",
        "--error=/dev/null",
        "--export=ALL",
        "--propagate=NONE",
        "--requeue",
        *([f"--partition={partition}"] if partition else []),
    ]


def beside(number: str, command: tuple[str, ...]) -> list[str]:
    """Make the step that runs `command` on the first node of a job, taking nothing of it.

    Without `--unbuffered` Slurm holds back what does not end a line.
    """
    return [
        "srun",
        f"--jobid={number}",
        "--overlap",
        "--nodes=1",
        "--relative=0",
        "--ntasks=1",
        "--gres=none",
        "--chdir=/",
        "--unbuffered",
        "--quiet",
        "--",
        *command,
    ]


def script(job: Job, *, grace_s: int, wall_s: int = 0) -> str:
    is_one = job.nodes == 1
    return program.BATCH.format(
        folder=_quoted(str(job.folder)),
        begin=program.ON_ONE.format(work=_work(job)) if is_one else _on_many(job),
        signals=program.SIGNALS_ON_ONE if is_one else program.SIGNALS_ON_MANY,
        finish=program.FINISH_ON_ONE if is_one else program.FINISH_ON_MANY.format(lost=LOST),
        asked_by_slurm="never" if is_one else program.ASKED_BY_SLURM,
        timeout_s=job.timeout_s,
        wall_s=wall_s,
        grace_s=grace_s,
        link_grace_s=program.LINK_GRACE_S,
        save_ahead_s=program.SAVE_AHEAD_S,
        stopped=program.STOPPED,
        reap=program.REAP,
        lost=LOST,
        bare_starts_max=program.BARE_STARTS_MAX,
    )


def _on_many(job: Job) -> str:
    return program.ON_MANY.format(
        nodes=job.nodes,
        node=_quoted(_on_each(job)),
    )


def _on_each(job: Job) -> str:
    return program.NODE.format(
        folder=_quoted(str(job.folder)),
        work=_work(job),
        nodes=job.nodes,
        reap=program.REAP,
        stay_s=program.STAY_S,
        lost=LOST,
    )


def _work(job: Job) -> str:
    return program.WORK.format(
        command=" ".join(_quoted(word) for word in job.command),
        environment=" ".join(_quoted(f"{name}={value}") for name, value in _given(job)),
    )


def _given(job: Job) -> list[tuple[str, str]]:
    """Make the job's environment, but for what only the node knows."""
    given = {
        "PATH": PATH,
        "HOME": str(job.folder),
        "LANG": "C.UTF-8",
        **dict(job.environment),
        "FABRIEK_JOB": job.key,
    }
    # Ours to say, even if the job's own environment has them.
    for name in OURS_TO_SAY:
        given.pop(name, None)
    return list(given.items())


def refuse_misfit(job: Job) -> None:
    """Refuse what no Slurm would run, or what would be taken for an option.

    Raises: JobRejected.
    """
    if not KEY.fullmatch(job.key):
        raise JobRejected(f"{job.key!r} cannot be the name of a job.", code="bad_key")
    if not ACCOUNT.fullmatch(job.account):
        raise JobRejected(f"{job.account!r} cannot be an account.", code="account_unknown")
    if job.nodes < 1 or job.gpus % max(job.nodes, 1):
        raise JobRejected("Each node must have as many GPUs.", code="too_many_nodes")
    if job.gpus < 1:
        raise JobRejected("A job needs at least one GPU.", code="too_many_gpus")
    if job.timeout_s < 1:
        raise JobRejected("A job needs at least one second.", code="bad_timeout")
    _refuse_command(job)
    if not job.folder.is_absolute() or not job.folder.is_dir():
        raise JobRejected(f"There is no folder {job.folder} to run in.", code="no_folder")


def _refuse_command(job: Job) -> None:
    words = [*job.command, *(word for pair in job.environment for word in pair)]
    is_long = job.nodes > 1 and len(os.fsencode(_on_each(job))) > NODE_BYTES_MAX
    names = [name for name, _ in job.environment]
    if (
        not job.command
        or "=" in job.command[0]  # env(1) would take it for a variable
        or any("\0" in word for word in words)
        or any("=" in name or not name for name in names)
        or sum(map(len, words)) > SCRIPT_BYTES_MAX
        or is_long
    ):
        raise JobRejected("This is no command that can be started.", code="bad_command")


def _quoted(word: str) -> str:
    # sbatch takes no script with a carriage return before a line end.
    return shlex.quote(word).replace("\r", "'\"$CR\"'")

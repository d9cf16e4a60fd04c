"""A job in Slurm's words: the options of sbatch, all of them ours, and the script it runs.

The script keeps the promises of base.py. It also writes, for machines whose accounting forgets
or never was: `.times`, a line for each start and end, and `.timeout` when it had to stop the
job itself, since Slurm's own limits are whole minutes.
"""

import re
import shlex
import sys
from pathlib import Path

from fabriek.engines.base import Job, JobRejected

# A key is also a folder's name and a word in a list with commas.
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
# Slurm writes accounts in small letters.
ACCOUNT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
PARTITION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._,-]*", re.ASCII)
PATH = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
TIMES, TIMED_OUT = ".times", ".timeout"
# What the script ends with when it stopped the job for having run too long; as timeout(1).
STOPPED = 124
SCRIPT_BYTES_MAX = 3 * 2**20  # Slurm's MaxScriptSize is 4 MiB

SCRIPT = """\
#!/bin/sh
# Written by Fabriek.
CR=$(printf '\\r')
umask 027
cd -- {folder} || exit 1
exec </dev/null >/dev/null 2>&1
rm -f exit .timeout
echo "start $(date +%s) $SLURM_JOB_ID" >>.times
set -- {command}
[ -c /dev/nvidia0 ] && set -- "CUDA_VISIBLE_DEVICES=$CUDA_VISIBLE_DEVICES" "$@"
set -- {environment} "FABRIEK_GPUS=${{SLURM_JOB_GPUS:-$CUDA_VISIBLE_DEVICES}}" "$@"
# Slurm sends SIGTERM to every process, so this one need not pass it on.
trap : TERM
setsid env {clean} "$@" >>log 2>&1 &
job=$!
setsid sh -c 'sleep "$1" || exit; : >.timeout; kill -s TERM -- "-$3"; sleep "$2"
  kill -s KILL -- "-$3"' timer {timeout_s} {grace_s} "$job" &
timer=$!
wait "$job"; code=$?
while kill -s 0 "$job"; do wait "$job"; code=$?; done
kill -s KILL -- "-$timer"
kill -s KILL -- "-$job"
echo "$code" >exit.part && mv -f exit.part exit
echo "end $(date +%s) $SLURM_JOB_ID" >>.times
[ -e .timeout ] && exit {stopped}
exit "$code"
"""


def options(job: Job, *, partition: str = "") -> list[str]:
    """Make the closed list of what is said to sbatch.

    The environment is the almost empty one that sbatch itself has. `--export=NONE` and `NIL`
    would be worse: slurmd then runs the account's login shell and takes what that has.
    """
    minutes = -(-job.timeout_s // 60)
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


def script(job: Job, *, grace_s: int) -> str:
    given = {
        "PATH": PATH,
        "HOME": str(job.folder),
        "LANG": "C.UTF-8",
        **dict(job.environment),
        "FABRIEK_JOB": job.key,
    }
    # Ours to say, even if the job's own environment has them.
    for name in ("FABRIEK_GPUS", "CUDA_VISIBLE_DEVICES"):
        given.pop(name, None)
    return SCRIPT.format(
        folder=_quoted(str(job.folder)),
        command=" ".join(_quoted(word) for word in job.command),
        environment=" ".join(_quoted(f"{name}={value}") for name, value in given.items()),
        # A job on several nodes starts on the first and needs Slurm's words to reach the rest.
        clean="-i" if job.nodes == 1 else "-u TMPDIR",
        timeout_s=job.timeout_s,
        grace_s=grace_s,
        stopped=STOPPED,
    )


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
    names = [name for name, _ in job.environment]
    if (
        not job.command
        or "=" in job.command[0]  # env(1) would take it for a variable
        or any("\0" in word for word in words)
        or any("=" in name or not name for name in names)
        or sum(map(len, words)) > SCRIPT_BYTES_MAX
    ):
        raise JobRejected("This is no command that can be started.", code="bad_command")


def _quoted(word: str) -> str:
    # sbatch takes no script with a carriage return before a line end.
    return shlex.quote(word).replace("\r", "'\"$CR\"'")

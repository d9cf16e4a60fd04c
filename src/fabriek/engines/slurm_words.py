"""What Slurm's words mean: states, reasons and refusals."""

import re

from fabriek.engines.base import JobRejected, Phase, Reason

# job_state_string() in slurm/src/common/slurm_protocol_defs.c, 20.11 to 25.05.
# REVOKED is left out on purpose: the job lives on in another cluster of a federation.
PHASES = {
    "PENDING": Phase.QUEUED,
    "REQUEUED": Phase.QUEUED,
    "REQUEUE_FED": Phase.QUEUED,
    "REQUEUE_HOLD": Phase.QUEUED,
    "RESV_DEL_HOLD": Phase.QUEUED,
    "SPECIAL_EXIT": Phase.QUEUED,
    # From here on it holds its GPUs, whether or not it computes.
    "CONFIGURING": Phase.RUNNING,
    "POWER_UP_NODE": Phase.RUNNING,
    "RUNNING": Phase.RUNNING,
    "COMPLETING": Phase.RUNNING,
    "RESIZING": Phase.RUNNING,
    "SIGNALING": Phase.RUNNING,
    "STAGE_OUT": Phase.RUNNING,
    "STOPPED": Phase.RUNNING,
    "SUSPENDED": Phase.RUNNING,
    "COMPLETED": Phase.SUCCEEDED,
    "CANCELLED": Phase.CANCELLED,
    "BOOT_FAIL": Phase.FAILED,
    "DEADLINE": Phase.FAILED,
    "FAILED": Phase.FAILED,
    "LAUNCH_FAILED": Phase.FAILED,
    "NODE_FAIL": Phase.FAILED,
    "OUT_OF_MEMORY": Phase.FAILED,
    "PREEMPTED": Phase.FAILED,
    "RECONFIG_FAIL": Phase.FAILED,
    "TIMEOUT": Phase.FAILED,
}
REASONS: dict[str, str] = {
    "COMPLETED": "",
    "CANCELLED": Reason.CANCELLED,
    "BOOT_FAIL": Reason.VANISHED,
    "DEADLINE": Reason.TIMEOUT,
    "LAUNCH_FAILED": Reason.VANISHED,
    "NODE_FAIL": Reason.VANISHED,
    "OUT_OF_MEMORY": Reason.OUT_OF_MEMORY,
    "PREEMPTED": "preempted",
    "RECONFIG_FAIL": Reason.VANISHED,
    "TIMEOUT": Reason.TIMEOUT,
}
# Nobody to ask, or nobody who knows: what was asked may have happened all the same.
SILENCE = re.compile(
    r"unable to contact|timed out|connection refused|connect failure|connection failure"
    r"|protocol authentication|munge|standby mode|temporarily (unavailable|unable)"
    r"|zero bytes|no route to host|unable to establish|unable to resolve|in recovery",
    re.IGNORECASE,
)
# No for now: nodes are down, or the site lets nobody submit more at once.
LATER = re.compile(r"not available now|MaxSubmitJob|QOSGrpSubmitJobs")
# Only with these did sbatch surely not submit.
SURELY_NOT = re.compile(rf"connect failure|{LATER.pattern}")
REFUSALS = (
    ("AssocGrpSubmitJobs", "account_closed"),
    ("GRESMinutes", "over_budget"),
    ("Invalid account", "account_unknown"),
    ("Invalid qos", "account_unknown"),
    ("node configuration is not available", "too_many_gpus"),
    ("Invalid generic resource", "too_many_gpus"),
    ("Node count specification invalid", "too_many_nodes"),
    ("More processors requested", "too_many_nodes"),
    ("time limit is invalid", "bad_timeout"),
    ("violates accounting/QOS policy", "over_limit"),
)
SIGNAL_BASE = 128


def state_word(told: str) -> str:
    """Take the state out of `CANCELLED by 1000` and `COMPLETED+`."""
    return told.split(" ", 1)[0].rstrip("+")


def phase(state: str) -> Phase:
    return PHASES.get(state, Phase.UNKNOWN)


def reason(state: str, exit_code: int | None) -> str:
    """Why a job that ended ended so."""
    if state == "FAILED":
        return Reason.KILLED if (exit_code or 0) > SIGNAL_BASE else Reason.EXIT
    return REASONS.get(state, "")


def refusal(said: str) -> JobRejected | None:
    """Understand why sbatch took no job; None when that is no answer to rely on."""
    if SILENCE.search(said) or LATER.search(said):
        return None
    sentence = said.strip().replace("sbatch: error: ", "")[:300]
    for words, code in REFUSALS:
        if words in said:
            return JobRejected(sentence, code=code)
    return JobRejected(sentence) if "Batch job submission failed" in said else None


def moment(told: str) -> float | None:
    """Seconds since 1970; Slurm says Unknown, None and N/A for what did not happen."""
    return float(told) if told.isdigit() and int(told) else None


def duration_s(told: str) -> int:
    """Understand `days-hours:minutes:seconds`, of which the first may lack."""
    match = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", told)
    if not match:
        return 0
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def waited_status(told: str) -> int | None:
    """Squeue gives the status as wait(2) does: the code above eight bits of signal."""
    if not told.isdigit() or not int(told):
        return None
    signal, code = int(told) & 127, int(told) >> 8 & 255
    return SIGNAL_BASE + signal if signal else code


def parted_status(told: str) -> int | None:
    """Sacct gives `code:signal`."""
    code, _, signal = told.partition(":")
    if not (code.isdigit() and signal.isdigit()) or told == "0:0":
        return None
    return SIGNAL_BASE + int(signal) if int(signal) else int(code)


def gpus(tres: str) -> int:
    """Count the GPUs in `cpu=8,gres/gpu=4,gres/gpu:h200=4,mem=10G`.

    A site may count them by their kinds alone.
    """
    if match := re.search(r"(?:^|,)gres/gpu=(\d+)", tres):
        return int(match[1])
    return sum(int(count) for count in re.findall(r"(?:^|,)gres/gpu:[^=,]+=(\d+)", tres))

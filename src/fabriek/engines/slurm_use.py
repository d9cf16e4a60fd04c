"""What Slurm's controller counts against one budget right now."""

import re
from dataclasses import dataclass

RECORD = re.compile(r"\n(?=ClusterName=|QOS=|QOS Records)")
PAIR = re.compile(r"(\w[\w/.]*)=(\S*)")
COUNTED = re.compile(r"(N|\d+)\((\d+)(?:\.\d+)?\)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """One account and its QOS; a limit of None: there is none.

    `gpu_minutes_used` has what running jobs have used so far; `gpu_minutes_promised` is what
    those may still use before their time limits. `jobs`: that wait or run.
    """

    parent: str
    is_closed: bool
    jobs: int
    gpu_minutes_limit: int | None
    gpu_minutes_used: int
    gpu_minutes_promised: int


def use(said: str, account: str) -> Use | None:
    """Read `scontrol show assoc_mgr` of one account and one QOS; None: it knows no account."""
    records = [dict(PAIR.findall(record)) for record in RECORD.split(said)]
    ours = next((one for one in records if _is_account(one, account)), None)
    if ours is None:
        return None
    named = re.compile(rf"{re.escape(account)}\(\d+\)")
    qos = next((one for one in records if named.fullmatch(one.get("QOS", ""))), {})
    submit, jobs = _counted(ours.get("GrpSubmitJobs", ""))
    limit, used = _of_gpus(qos.get("GrpTRESMins", ""))
    return Use(
        parent=ours.get("ParentAccount", "").partition("(")[0],
        is_closed=submit == 0,
        jobs=jobs,
        gpu_minutes_limit=limit,
        gpu_minutes_used=used,
        gpu_minutes_promised=_of_gpus(qos.get("GrpTRESRunMins", ""))[1],
    )


def _is_account(record: dict[str, str], account: str) -> bool:
    return record.get("Account") == account and not record.get("UserName")


def _of_gpus(amounts: str) -> tuple[int | None, int]:
    for amount in amounts.split(","):
        name, _, counted = amount.partition("=")
        if name == "gres/gpu":
            return _counted(counted)
    return None, 0


def _counted(amount: str) -> tuple[int | None, int]:
    """Read `10(3)`, a limit with what counts against it; `N` is no limit."""
    match = COUNTED.fullmatch(amount)
    if match is None:
        return None, 0
    limit, now = match.groups()
    return None if limit == "N" else int(limit), int(now)

"""A line of Slurm's accounting, as sacct prints it, read into what the factory keeps.

One job that Slurm started again has several lines. Also read from files that an operator made
with sacct long ago, so this knows no cluster and runs no command.
"""

import re
from collections.abc import Callable, Mapping

from fabriek.engines.base import Phase, UsageRecord
from fabriek.engines.slurm_words import gpus, phase, state_word

# JobName is last: what follows a line's end in somebody's name for a job is then no field.
FIELDS = (
    "JobIDRaw", "Cluster", "User", "Account", "State", "Submit", "Start", "End", "ElapsedRaw",
    "NNodes", "AllocTRES", "ConsumedEnergyRaw", "JobName",
)  # fmt: skip
NUMBER = re.compile(r"\d{1,12}", re.ASCII)
ENERGY = re.compile(r"(?:^|,)energy=(\d+)(?:,|$)", re.ASCII)
# Slurm writes numbers near 2^64 for what it does not know.
UNKNOWN_FROM = 2**62
MOST_GPUS = 2**31 - 1
MEASURED = "measured"

Moment = Callable[[str], float | None]


def epoch(told: str) -> float | None:
    """Read a moment in seconds since 1970; None: it did not come yet.

    Raises: ValueError.
    """
    if told in {"", "0", "Unknown", "None", "N/A"}:
        return None
    return float(int(told))


def record(field: Mapping[str, str], moment: Moment = epoch) -> UsageRecord | None:
    """Understand one line; None for a job that runs, that never started, and for a step.

    Raises: ValueError, in words, when a field holds what it cannot hold.
    """
    number = field["JobIDRaw"]
    if number.partition(".")[1]:
        return None
    ended_at, started_at = moment(field["End"]), moment(field["Start"])
    tres = field["AllocTRES"]
    if ended_at is None or started_at is None or not tres:
        return None
    if not NUMBER.fullmatch(number):
        raise ValueError(f"JobIDRaw is no number: {number[:40]!r}")
    submitted_at = moment(field["Submit"])
    state = state_word(field["State"])
    ending = phase(state)
    energy_j = _energy_j(field.get("ConsumedEnergyRaw", ""), tres)
    return UsageRecord(
        identity=_identity(field["Cluster"], number, submitted_at, started_at),
        number=number,
        key=field["JobName"],
        user=field["User"],
        account=field["Account"],
        state=state,
        # A stretch that Slurm ended to start the job again did not succeed.
        phase=ending if ending.is_final else Phase.FAILED,
        nodes=_count("NNodes", field["NNodes"] or "1"),
        gpus=_count("AllocTRES", str(gpus(tres))),
        tres=tres,
        submitted_at=submitted_at,
        started_at=started_at,
        ended_at=ended_at,
        elapsed_s=_count("ElapsedRaw", field["ElapsedRaw"]),
        energy_j=energy_j,
        energy_method=MEASURED if energy_j else "",
    )


def _identity(cluster: str, number: str, submitted_at: float | None, started_at: float) -> str:
    """Numbers are used again; a job that is started again has its number twice."""
    return f"{cluster[:60]}:{number}:{int(submitted_at or 0)}:{int(started_at)}"


def _count(name: str, told: str) -> int:
    if not NUMBER.fullmatch(told) or int(told) > MOST_GPUS:
        raise ValueError(f"{name} is no such number: {told[:40]!r}")
    return int(told)


def _energy_j(told: str, tres: str) -> int | None:
    """Joules that Slurm measured; 0 is what it says when nothing measures."""
    if not _is_energy(told):
        in_tres = ENERGY.search(tres)
        told = in_tres[1] if in_tres else ""
    return int(told) if _is_energy(told) else None


def _is_energy(told: str) -> bool:
    return told.isascii() and told.isdigit() and 0 < int(told) < UNKNOWN_FROM

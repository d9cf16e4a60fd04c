"""How long one job may be, the shortest of what Slurm and the operator say; and how large.

Asked of slurmctld alone, and seldom: an operator changes it a few times a year. What holds for
every account is kept in the engine's home, for who must not ask a cluster.
"""

import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from fabriek.engines.base import EngineDown, Job, JobRejected
from fabriek.engines.local_home import write_whole
from fabriek.engines.slurm_home import FOLDER
from fabriek.engines.slurm_shell import Shell
from fabriek.engines.slurm_words import duration_s, gpus

ASK_AGAIN_S = 600.0
# `MaxTime=1-00:00:00` of a partition; `UNLIMITED` says nothing.
OF_PARTITION = re.compile(r"\bMaxTime=(?P<time>[\d:-]+)")
# All that its nodes have together: `TRES=cpu=256,mem=4T,node=4,billing=256,gres/gpu=16`.
TRES_OF_PARTITION = re.compile(r"\bTRES=(?P<tres>\S+)")
NO_QOS = "N"  # of `N/A`
QOS_OF_PARTITION = re.compile(r"\bQoS=(?P<name>[\w.-]+)")
IS_DEFAULT = re.compile(r"\bDefault=YES\b")
NAME = re.compile(r"^PartitionName=(\S+)")
# Of a QOS slurmctld tells minutes: `MaxWallPJ=60`.
OF_QOS = re.compile(r"\bMaxWallPJ=(?P<minutes>\d+)")
MINUTE_S = 60
KEPT = "walls.json"
EVERYBODY = ""  # no account is called so


@dataclass(slots=True)
class Walls:
    """Remembers what was told; `most_s`: the operator's own limit, 0 where there is none."""

    shell: Shell
    partition: str = ""
    most_s: int = 0
    _told: dict[str, tuple[float, int]] = field(default_factory=dict)
    _gpus: int = 0

    def of(self, account: str) -> int:
        """Give the seconds that one job of `account` may last; 0: as long as it likes.

        Raises: EngineDown.
        """
        now = time.monotonic()
        asked_at, wall_s = self._told.get(account, (-ASK_AGAIN_S, 0))
        if now - asked_at >= ASK_AGAIN_S:
            wall_s = shortest(self.most_s, *self._limits(account))
            self._told[account] = now, wall_s
        return wall_s

    def of_everybody(self) -> int:
        """Give what holds for every account; one may have less. Raises: EngineDown."""
        return self.of(EVERYBODY)

    def gpus_of_everybody(self) -> int:
        """Give how many GPUs one job can have; 0: Slurm does not say. Raises: EngineDown."""
        self.of_everybody()
        return self._gpus

    def _limits(self, account: str) -> list[int]:
        said = self._ask("show", "partition", "--oneliner")
        partitions = chosen(said, self.partition)
        self._gpus = max(map(gpus_of_partition, partitions), default=0)
        found = map(QOS_OF_PARTITION.search, partitions)
        qoses = {account, *(one["name"] for one in found if one)} - {NO_QOS, EVERYBODY}
        told = [
            self._ask("show", "assoc_mgr", "flags=qos", f"qos={name}", "--oneliner")
            for name in sorted(qoses)
        ]
        return [
            *(limit_of_partition(line) for line in partitions),
            *(limit_of_qos(one) for one in told),
        ]

    def _ask(self, *words: str) -> str:
        told = self.shell.ask("scontrol", *words)
        if told.code:
            raise EngineDown(f"scontrol: {told.err.strip()[:300]}")
        return told.out


def keep(
    home: Path, *, outside_s: int, secure_s: int, outside_gpus: int = 0, secure_gpus: int = 0
) -> None:
    """Keep how long and large one job of anybody may be, outside and in the secure part."""
    said = {"outside_s": outside_s, "secure_s": secure_s}
    said |= {"outside_gpus": outside_gpus, "secure_gpus": secure_gpus}
    if _kept(home) != said:
        write_whole(home / FOLDER / KEPT, said)


def kept_s(home: Path, *, is_secure: bool) -> int:
    """Tell what was kept below the home of engines; 0: as long as it likes, or nobody knows."""
    return _kept(home).get("secure_s" if is_secure else "outside_s", 0)


def kept_gpus(home: Path, *, is_secure: bool) -> int:
    """Tell how many GPUs one job can have, as it was kept; 0: nobody knows."""
    return _kept(home).get("secure_gpus" if is_secure else "outside_gpus", 0)


def _kept(home: Path) -> dict[str, int]:
    try:
        said = json.loads((home / FOLDER / KEPT).read_bytes())
        return {str(name): int(value) for name, value in said.items()}
    except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return {}  # not known: somebody wrote in it


def refuse_longer(job: Job, wall_s: int) -> None:
    """Refuse a job that cannot go on as another where it lasts longer than one may.

    Raises: JobRejected.
    """
    if job.is_whole and 0 < wall_s < job.timeout_s:
        raise JobRejected(f"One job may last for {wall_s} s here.", code="too_long_at_once")


def shortest(*limits_s: int) -> int:
    """Give the shortest of limits of which 0 is none."""
    return min((limit for limit in limits_s if limit), default=0)


def chosen(said: str, partition: str) -> list[str]:
    """Keep the lines of the partitions that jobs go to; without a name, of the default one."""
    names = set(partition.split(",")) if partition else set()
    lines = [line for line in said.splitlines() if NAME.match(line)]
    if not names:
        return [line for line in lines if IS_DEFAULT.search(line)]
    return [line for line in lines if (found := NAME.match(line)) and found[1] in names]


def limit_of_partition(line: str) -> int:
    found = OF_PARTITION.search(line)
    return duration_s(found["time"]) if found else 0


def gpus_of_partition(line: str) -> int:
    found = TRES_OF_PARTITION.search(line)
    return gpus(found["tres"]) if found else 0


def limit_of_qos(said: str) -> int:
    found = OF_QOS.search(said)
    return int(found["minutes"]) * MINUTE_S if found else 0

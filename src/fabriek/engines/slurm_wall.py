"""How long one job may be: the shortest of what Slurm and the operator say.

Asked of slurmctld alone, and seldom: an operator changes it a few times a year.
"""

import re
import time
from dataclasses import dataclass, field

from fabriek.engines.base import EngineDown
from fabriek.engines.slurm_shell import Shell
from fabriek.engines.slurm_words import duration_s

ASK_AGAIN_S = 600.0
# `MaxTime=1-00:00:00` of a partition; `UNLIMITED` says nothing.
OF_PARTITION = re.compile(r"\bMaxTime=(?P<time>[\d:-]+)")
NO_QOS = "N"  # of `N/A`
QOS_OF_PARTITION = re.compile(r"\bQoS=(?P<name>[\w.-]+)")
IS_DEFAULT = re.compile(r"\bDefault=YES\b")
NAME = re.compile(r"^PartitionName=(\S+)")
# Of a QOS slurmctld tells minutes: `MaxWallPJ=60`.
OF_QOS = re.compile(r"\bMaxWallPJ=(?P<minutes>\d+)")
MINUTE_S = 60


@dataclass(slots=True)
class Walls:
    """Remembers what was told; `most_s`: the operator's own limit, 0 where there is none."""

    shell: Shell
    partition: str = ""
    most_s: int = 0
    _told: dict[str, tuple[float, int]] = field(default_factory=dict)

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

    def _limits(self, account: str) -> list[int]:
        said = self._ask("show", "partition", "--oneliner")
        partitions = chosen(said, self.partition)
        found = map(QOS_OF_PARTITION.search, partitions)
        qoses = {account, *(one["name"] for one in found if one)} - {NO_QOS}
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


def limit_of_qos(said: str) -> int:
    found = OF_QOS.search(said)
    return int(found["minutes"]) * MINUTE_S if found else 0

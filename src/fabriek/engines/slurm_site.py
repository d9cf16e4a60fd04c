"""Where a cluster is and what of it is ours, as an operator says it: looked at before use."""

import re
from dataclasses import dataclass

from fabriek.engines.slurm_script import ACCOUNT, PARTITION

LOGIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@-]*", re.ASCII)
WALL_LEAST_S = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """Where a cluster is, and what is ours there.

    `ssh`: user@login where the commands are not on this host. `conf`: SLURM_CONF where it is
    not the usual one. `root`: the account below which ours are. `partition`: one, several with
    commas, or the cluster's own choice. `secure_partition`: likewise, for jobs that may run
    nowhere else; empty: none. `grace_s`: between SIGTERM and SIGKILL when a job runs
    longer than it asked for; where Slurm ends a job, its own KillWait counts. `wall_s`: how
    long one job may be, where that is less than Slurm allows; a longer one becomes a chain.
    """

    ssh: str = ""
    conf: str = ""
    root: str = "fabriek"
    partition: str = ""
    secure_partition: str = ""
    grace_s: int = 30
    wall_s: int = 0

    def __post_init__(self) -> None:
        """Refuse, before anything is started, what would be taken for something else."""
        if not ACCOUNT.fullmatch(self.root):
            raise ValueError(f"{self.root!r} cannot be an account of Slurm.")
        for partition in (self.partition, self.secure_partition):
            if partition and not PARTITION.fullmatch(partition):
                raise ValueError(f"{partition!r} cannot be a partition of Slurm.")
        if both := _names(self.partition) & _names(self.secure_partition):
            raise ValueError(f"{min(both)} cannot be for all jobs and be secure.")
        if self.ssh and not LOGIN.fullmatch(self.ssh):
            raise ValueError(f"{self.ssh!r} is not user@login.")
        if self.wall_s and self.wall_s < WALL_LEAST_S:
            raise ValueError(f"In {self.wall_s} s no job can begin, save and end.")


def _names(partitions: str) -> set[str]:
    return {name for name in partitions.split(",") if name}

"""Lets a job that Slurm starts again ask for no more time than it has left.

Slurm starts nothing that might need more than is left of a budget, and a job that it preempts
or requeues asks for all of its time once more: with a budget that was just enough it would wait
for ever. A job that ends a link of its chain itself says so itself, before.
"""

import logging
import re

from fabriek.engines.slurm_ask import Row
from fabriek.engines.slurm_home import Home
from fabriek.engines.slurm_shell import Shell

log = logging.getLogger(__name__)

BUDGET = re.compile(r"(Assoc|QOS)Grp(GRES|Billing)Minutes")
MINUTE_S = 60
# What Slurm itself may have counted more than the work had.
MARGIN_S = 30


class Onward:
    def __init__(self, shell: Shell, home: Home) -> None:
        self._shell = shell
        self._home = home
        self._asked: set[tuple[str, int]] = set()

    def shorten(self, key: str, row: Row, held_s: int) -> None:
        """Ask once for each start of a job that waits for budget; one that is refused waits.

        Raises: EngineDown.
        """
        start = (row.number, row.restarts)
        waits = row.state == "PENDING" and row.restarts and BUDGET.search(row.reason)
        if not waits or start in self._asked:
            return
        timeout_s = self._home.timeout_s(key)
        if timeout_s is None:
            return
        minutes = max((timeout_s - held_s - MARGIN_S) // MINUTE_S, 1)
        self._asked.add(start)
        told = self._shell.ask(
            "scontrol", "update", f"jobid={row.number}", f"timelimit={minutes}"
        )
        if told.code:
            log.warning("The time of %s cannot be shortened: %s", key, told.err.strip()[:300])

"""Which of Slurm's rows are ours: a job may give itself another name, but no other number.

So a job whose number we know is found by number and user, whatever it is called now. Numbers
are used again when a cluster forgets its jobs: then it must have been submitted when we did.
"""

import math
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from fabriek.engines.slurm_ask import Row, Slurm
from fabriek.engines.slurm_home import Home, Sent
from fabriek.engines.slurm_script import KEY
from fabriek.engines.slurm_shell import Shell

# munge bears no more between two hosts.
CLOCKS_DIFFER_S = 300.0
DAY_S = 86_400
# How far back a job may have been asked for that our home does not know: longer than a run
# may be lost and still be found.
LONGEST_AGO_S = 60 * DAY_S


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """What the accounting told, by key; `is_kept`: whether there is any."""

    rows: dict[str, list[Row]]
    is_kept: bool = True


class Ours:
    def __init__(self, home: Home, shell: Shell) -> None:
        self._home = home
        self._shell = shell
        self._cluster = Slurm(shell)

    def queue(self, keys: Collection[str]) -> dict[str, list[Row]]:
        """Ask once, however many keys. Raises: EngineDown."""
        return self.among(self._cluster.queue(), keys)

    def past(self, keys: Collection[str]) -> Past:
        """Ask once, or twice where of some the number is not known. Raises: EngineDown."""
        if not keys:
            return Past(rows={})
        long_ago = time.time() - LONGEST_AGO_S
        asked_at = min(self._home.asked_at(key) or long_ago for key in keys)
        sent = {key: sent.number for key in keys if (sent := self._home.sent_as(key))}
        rows = self._cluster.accounting(
            since=asked_at - DAY_S,  # the clocks of portal and cluster may differ
            numbers=set(sent.values()),
            keys=set(keys) - sent.keys(),
        )
        return Past(rows=self.among(rows or (), keys), is_kept=rows is not None)

    def among(self, rows: Iterable[Row], keys: Collection[str]) -> dict[str, list[Row]]:
        """Give the rows of these keys' jobs, each key's in the order in which they came."""
        sent = {key: sent for key in keys if (sent := self._home.sent_as(key))}
        named = {key for key in keys if key not in sent}
        numbered: dict[str, list[str]] = {}
        for key, one in sent.items():
            numbered.setdefault(one.number, []).append(key)
        found: dict[str, list[Row]] = {}
        for row in rows:
            candidates = numbered.get(row.number, [])
            for key in (*candidates, row.key) if row.key in named else candidates:
                # Anybody can give a job our key's name, but not our user.
                if row.user == self._user(key) and not self._is_of_another(row, key):
                    found.setdefault(key, []).append(row)
        return {
            key: ours
            for key, its in found.items()
            if (ours := _of_one_job(key, sent[key], its) if key in sent else its)
        }

    def _user(self, key: str) -> str:
        return self._home.user(key) or self._shell.user

    def _is_of_another(self, row: Row, key: str) -> bool:
        """Whether it is a run of ours that was given the same number later, or before.

        A controller that was killed gives the last seconds' numbers out twice.
        """
        if row.key == key or not KEY.fullmatch(row.key) or not self._home.knows(row.key):
            return False
        return self._home.number(row.key) in {"", row.number}


def _of_one_job(key: str, sent: Sent, rows: list[Row]) -> list[Row]:
    """Leave out who had the number before our job had it: at best its name says since when."""
    named = [row for row in rows if row.key == key]
    firsts = named or [row for row in rows if _may_be_first(row, sent)]
    first = min((row.submitted_at or 0.0 for row in firsts), default=math.inf)
    return [row for row in rows if (row.submitted_at or 0.0) >= first]


def _may_be_first(row: Row, sent: Sent) -> bool:
    # A job that is started again counts as submitted again.
    latest = math.inf if row.restarts else sent.answered_at + CLOCKS_DIFFER_S
    return sent.asked_at - CLOCKS_DIFFER_S <= (row.submitted_at or 0.0) <= latest

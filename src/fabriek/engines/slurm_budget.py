"""Budgets as Slurm knows them: an account and a QOS of one name, below an account of ours.

One write costs about a second on a large machine, so what is there is read first and only
differences are written. What is not ours is never touched.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from fabriek.engines.base import EngineDown
from fabriek.engines.slurm_shell import WRITE_S, Shell
from fabriek.engines.slurm_words import SILENCE

log = logging.getLogger(__name__)

OURS = "fabriek"  # how our accounts and QOSes are described
# Lines are told apart by their number of fields.
QOS_FIELDS, ASSOCIATION_FIELDS = 4, 5
MINUTE_S = 60
TRIES = 2


@dataclass(slots=True)
class Standing:
    """What Slurm has under one name now."""

    parent: str = ""
    has_root: bool = False
    has_user: bool = False
    is_closed: bool = False
    minutes: int | None = None
    flags: str = ""
    described: str = ""

    @property
    def has_account(self) -> bool:
        return bool(self.parent)

    @property
    def has_qos(self) -> bool:
        return bool(self.described)


class Budgets:
    def __init__(self, shell: Shell, root: str) -> None:
        self._shell = shell
        self._root = root

    def open(self, account: str, gpu_seconds: int) -> None:
        minutes = -(-gpu_seconds // MINUTE_S)

        def lacking(now: Standing) -> list[str]:
            shut = now.has_account and now.is_closed
            reopen = [f"modify account where name={account} set GrpSubmitJobs=-1"] * shut
            return [
                *self._missing(now, account, minutes),
                *_limit(now, account, minutes),
                *reopen,
            ]

        self._agree(account, lacking)

    def set(self, account: str, gpu_seconds: int) -> None:
        minutes = -(-gpu_seconds // MINUTE_S)
        self._agree(account, lambda now: _limit(now, account, minutes))

    def close(self, account: str) -> None:
        """Let nothing new in; an account that is not there is as closed as it can be."""

        def lacking(now: Standing) -> list[str]:
            is_open = now.has_account and not now.is_closed
            return [f"modify account where name={account} set GrpSubmitJobs=0"] * is_open

        self._agree(account, lacking)

    def _agree(self, account: str, lacking: Callable[[Standing], list[str]]) -> None:
        """Write what lacks, and read whether it is there: sacctmgr's own status says little.

        Raises: EngineDown, when Slurm does not take it.
        """
        for _ in range(TRIES):
            now = self._standing(account)
            if self._is_foreign(now, account):
                return
            writes = lacking(now)
            if not writes:
                return
            said = self._ask(writes, "--immediate", "--quiet")
        if lacking(self._standing(account)):
            raise EngineDown(f"Slurm does not take the budget of {account}: {said[-300:]}")

    def accounts(self) -> list[str]:
        """All accounts below ours, also those that somebody else put there."""
        said = self._read(["list associations where parent=" + self._root + " format=Account"])
        return sorted({line.strip("|") for line in said if line.strip("|")})

    def _missing(self, now: Standing, account: str, minutes: int) -> list[str]:
        writes = []
        if not now.has_root:
            writes.append(
                f"add account {self._root} parent=root description={OURS} organization={OURS}"
            )
        if not now.has_qos:
            writes.append(
                f"add qos {account} description={OURS} flags=NoDecay,DenyOnLimit "
                f"GrpTRESMins=gres/gpu={minutes}"
            )
        if not now.has_account:
            writes.append(
                f"add account {account} parent={self._root} description={OURS} "
                f"organization={OURS} qos={account} defaultqos={account}"
            )
        if not now.has_user:
            writes.append(f"add user {self._shell.user} account={account}")
        return writes

    def _standing(self, account: str) -> Standing:
        qos = f"list qos where name={account} format=Name,Description,Flags,GrpTRESMins"
        told = self._read(
            [
                qos,
                f"list associations where account={account},{self._root} "
                "format=Account,ParentName,User,GrpSubmitJobs,QOS",
            ]
        )
        now = Standing()
        for line in told:
            fields = line.split("|")
            if len(fields) == QOS_FIELDS and fields[0] == account:
                _, now.described, now.flags, limits = fields
                now.minutes = _minutes(limits)
            elif len(fields) == ASSOCIATION_FIELDS:
                self._note(now, account, fields)
        return now

    def _note(self, now: Standing, account: str, fields: list[str]) -> None:
        name, parent, user, submit, _ = fields
        if name == self._root and not user:
            now.has_root = True
        elif name == account and not user:
            now.parent, now.is_closed = parent, submit == "0"
        elif name == account and user == self._shell.user:
            now.has_user = True

    def _is_foreign(self, now: Standing, account: str) -> bool:
        """Say loudly, but do not stop the factory, when the name is somebody else's."""
        foreign = (now.has_account and now.parent != self._root) or (
            now.has_qos and now.described != OURS
        )
        if foreign:
            log.error("Slurm has an account or QOS %s that is not ours: left alone.", account)
        return foreign

    def _read(self, lines: list[str]) -> list[str]:
        said = self._ask(lines, "--noheader", "--parsable2", "--readonly")
        return [line for line in said.splitlines() if not line.startswith("sacctmgr:")]

    def _ask(self, lines: list[str], *options: str) -> str:
        """Let one sacctmgr do all lines: starting it costs more than most of them."""
        given = "".join(f"{line}\n" for line in lines)
        told = self._shell.ask("sacctmgr", *options, given=given, timeout_s=WRITE_S)
        if SILENCE.search(told.err) or (told.code and "--readonly" in options):
            raise EngineDown(f"sacctmgr: {told.err.strip()[:300]}")
        return told.out + told.err


def _limit(now: Standing, account: str, minutes: int) -> list[str]:
    if not now.has_qos or now.minutes == minutes:
        return []
    return [f"modify qos where name={account} set GrpTRESMins=gres/gpu={minutes}"]


def _minutes(limits: str) -> int | None:
    for limit in limits.split(","):
        name, _, amount = limit.partition("=")
        if name == "gres/gpu" and amount.isdigit():
            return int(amount)
    return None

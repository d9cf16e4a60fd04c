"""Budgets as Slurm knows them: an account and a QOS of one name, below that of a share.

Slurm is a copy of the factory's ledger: what is there is read with one sacctmgr, compared
here, and written with one more (two, when many accounts are new). What is not ours is never
touched.
"""

import logging
import re
from collections.abc import Collection
from dataclasses import replace

from fabriek.engines import slurm_tree, slurm_writes
from fabriek.engines.base import Budget, BudgetsHeldUp, EngineDown
from fabriek.engines.slurm_as import USER
from fabriek.engines.slurm_difference import Difference, Ours, differences
from fabriek.engines.slurm_script import ACCOUNT
from fabriek.engines.slurm_shell import Shell
from fabriek.engines.slurm_tree import Tree
from fabriek.engines.slurm_use import Use, use
from fabriek.engines.slurm_words import SILENCE

log = logging.getLogger(__name__)

TRIES = 2
# More budgets than these are not worth a filter: the whole tree is read.
NAMED_MOST = 50
READ_S = 120.0
# 20,500 associations were written in six minutes; nothing else of the loop can wait longer.
WRITE_S = 900.0
CLUSTER = re.compile(r"^ClusterName\s*=\s*(\S+)$", re.MULTILINE)
# /dev/stdin can be opened when it is a pipe, which it is not under every sshd.
LOAD = ("/bin/sh", "-c", "cat | exec sacctmgr --immediate --quiet load file=/dev/stdin")


class Budgets:
    """`root`: the account below which all is ours."""

    def __init__(self, shell: Shell, root: str) -> None:
        self._shell = shell
        self._root = root
        self._cluster = ""

    def tell(self, budgets: Collection[Budget]) -> None:
        """Make these budgets so in Slurm; what is somebody else's is said, and left alone.

        One sacctmgr when nothing differs, else three: sacctmgr's own status says little, so
        what was written is read again.

        Raises: EngineDown; BudgetsHeldUp, when Slurm does not take some of it.
        """
        left, said = self._mended([_sound(one) for one in budgets if _is_account(one)])
        for one in left:
            if not one.can_be_mended:
                log.error("Slurm: %s is not ours to change (%s).", one.account, one.what)
        if unmended := [one for one in left if one.can_be_mended]:
            stuck = {one.account for one in unmended}
            told = {one.account for one in budgets}
            raise BudgetsHeldUp(
                f"Slurm does not take {unmended[0]}: {said.strip()[-300:]}",
                # What holds others up, a share or our root, holds up all.
                accounts=stuck if stuck <= told else told,
            )

    def drift(self, budgets: Collection[Budget]) -> list[Difference]:
        """Tell all that differs below our root, also in accounts that no budget names."""
        wanted = [_sound(one) for one in budgets if _is_account(one)]
        return self._differences(wanted, whole=True)

    def mend(self, budgets: Collection[Budget]) -> list[Difference]:
        """Take away what `drift` tells; gives what is left of it."""
        wanted = [_sound(one) for one in budgets if _is_account(one)]
        return self._mended(wanted, whole=True)[0]

    def use(self, account: str) -> Use | None:
        """Tell what counts against one budget now; None: the controller does not know it."""
        if not ACCOUNT.fullmatch(account):
            return None
        told = self._shell.ask(
            "scontrol", "show", "assoc_mgr", f"accounts={account}", f"qos={account}",
            "flags=assoc,qos",
        )  # fmt: skip
        if told.code:
            raise EngineDown(f"scontrol: {told.err.strip()[:300]}")
        return use(told.out, account)

    def accounts(self) -> list[str]:
        """All accounts below ours, also those that somebody else put there."""
        ours = self._ours()
        fields = ",".join(slurm_tree.ASSOCIATION)
        asked = f"list associations woplimits where cluster={ours.cluster} user="
        said = self._ask([f"{asked} format={fields}"], "--parsable2", "--readonly")
        return sorted(slurm_tree.accounts(said).below(self._root))

    def _mended(
        self, budgets: Collection[Budget], *, whole: bool = False
    ) -> tuple[list[Difference], str]:
        """Write what differs until nothing does; give what is left, and what Slurm said."""
        said = ""
        for turn in range(TRIES):
            found = self._differences(budgets, whole=whole)
            mendable = [one for one in found if one.can_be_mended]
            if not mendable:
                return found, said
            said = self._write(mendable, again=turn > 0)
        return self._differences(budgets, whole=whole), said

    def _differences(self, budgets: Collection[Budget], *, whole: bool) -> list[Difference]:
        ours = self._ours()
        if whole or len(budgets) > NAMED_MOST:
            return differences(self._read(ours), budgets, ours, whole=whole)
        names = ours.names(budgets)
        tree = self._read(ours, names)
        if _was_moved(tree, names - {self._root}, names):
            # Only the whole tree tells whether it still stands below our root.
            tree = self._read(ours)
        return differences(tree, budgets, ours, whole=False)

    def _read(self, ours: Ours, names: Collection[str] = ()) -> Tree:
        asked = slurm_tree.questions(ours.cluster, names)
        said = self._ask(asked, "--parsable2", "--readonly", timeout_s=READ_S)
        try:
            return slurm_tree.tree(said)
        except ValueError as error:
            raise EngineDown(f"{error}: {said.strip()[:300]}") from error

    def _write(self, found: Collection[Difference], *, again: bool) -> str:
        ours = self._ours()
        lines = slurm_writes.lines(found, ours, again=again)
        said = self._ask(lines, "--immediate", "--quiet") if lines else ""
        if given := slurm_writes.file(found, ours):
            told = self._shell.ask(*LOAD, given=given, timeout_s=WRITE_S)
            said += _unless_silent(told.out, told.err)
        return said

    def _ask(self, lines: list[str], *options: str, timeout_s: float = WRITE_S) -> str:
        """Let one sacctmgr do all lines: starting it costs more than most of them."""
        given = "".join(f"{line}\n" for line in lines)
        told = self._shell.ask("sacctmgr", *options, given=given, timeout_s=timeout_s)
        if told.code and "--readonly" in options:
            raise EngineDown(f"sacctmgr: {told.err.strip()[:300]}")
        return _unless_silent(told.out, told.err)

    def _ours(self) -> Ours:
        """Say what is ours; a database may serve other clusters too, and they are not."""
        if not self._cluster:
            told = self._shell.ask("scontrol", "show", "config")
            found = CLUSTER.search(told.out)
            if told.code or found is None:
                raise EngineDown(f"scontrol: {told.err.strip()[:300]}")
            self._cluster = found[1]
        return Ours(cluster=self._cluster, root=self._root, user=self._shell.user)


def _was_moved(tree: Tree, names: Collection[str], known: Collection[str]) -> bool:
    standing = (tree.standing.get(name) for name in names)
    return any(one is not None and one.parent not in known for one in standing)


def _unless_silent(out: str, err: str) -> str:
    if SILENCE.search(err):
        raise EngineDown(f"sacctmgr: {err.strip()[:300]}")
    return out + err


def _is_account(budget: Budget) -> bool:
    """Names that Slurm would change or misread get no budget, and so no jobs."""
    if ACCOUNT.fullmatch(budget.account):
        return True
    log.error("%r cannot be an account of Slurm.", budget.account)
    return False


def _sound(budget: Budget) -> Budget:
    """Leave out users whose names Slurm would misread."""
    users = tuple(user for user in budget.users if USER.fullmatch(user))
    if len(users) < len(budget.users):
        log.error("%s names users that cannot be on a cluster.", budget.account)
    return replace(budget, users=users)

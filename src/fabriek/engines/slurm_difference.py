"""Where Slurm differs from the factory's budgets: found by comparing, without asking anybody.

Ours is what stands below our root account, and a QOS whose description says that it is. All
else is left alone, whatever it is called.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from fabriek.engines.base import Budget
from fabriek.engines.slurm_script import ACCOUNT
from fabriek.engines.slurm_tree import Member, Qos, Standing, Tree

OURS = "fabriek"  # how our accounts are described
FLAGS = frozenset({"NoDecay", "DenyOnLimit"})
FACTOR = 1.0  # what a GPU-second counts for
MINUTE_S = 60


class What(StrEnum):
    """What differs. Each is mended in one way, but for the last three."""

    NO_GROUP = "no_group"  # our root account, or that of a share
    NO_ACCOUNT = "no_account"
    PARENT = "parent"
    FAIRSHARE = "fairshare"
    NO_QOS = "no_qos"
    LIMIT = "limit"
    FLAGS = "flags"
    FACTOR = "factor"
    ALLOWED = "allowed"  # which QOSes the account may use
    IS_CLOSED = "is_closed"
    IS_OPEN = "is_open"
    STRAY = "stray"  # below our root, open, and unknown to the ledger
    NO_MEMBER = "no_member"
    BLOCKED = "blocked"
    STRANGER = "stranger"
    OWN_QOS = "own_qos"  # a member who may use more than the account
    FOREIGN = "foreign"
    FOREIGN_QOS = "foreign_qos"
    BORROWED = "borrowed"  # others may spend our budget


HOPELESS = frozenset({What.FOREIGN, What.FOREIGN_QOS, What.BORROWED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """`there`: what Slurm has; `wanted`: what the factory wants there."""

    account: str
    what: What
    there: str = ""
    wanted: str = ""
    user: str = ""

    @property
    def can_be_mended(self) -> bool:
        """Whether it lies within what is ours."""
        return self.what not in HOPELESS


@dataclass(frozen=True, kw_only=True, slots=True)
class Ours:
    """What is ours on which cluster: all below `root`; `user` is the engine's own."""

    cluster: str
    root: str
    user: str

    @property
    def mark(self) -> str:
        """How a QOS of ours is described: clusters that share a database share QOSes."""
        return f"{OURS} {self.cluster}/{self.root}".lower()

    def group(self, share: str) -> str:
        """Name the account of a share; without a share that Slurm can bear, our root."""
        name = f"{self.root}-{share}".lower()
        return name if share and ACCOUNT.fullmatch(name) else self.root

    def names(self, budgets: Iterable[Budget]) -> set[str]:
        """All accounts that matter to these budgets."""
        listed = list(budgets)
        groups = {self.group(budget.share) for budget in listed}
        return {self.root, *groups, *(budget.account for budget in listed)}


def differences(
    tree: Tree, budgets: Collection[Budget], ours: Ours, *, whole: bool
) -> list[Difference]:
    """Compare these budgets with what was read; `whole`: also look for what no budget names."""
    told = [one for one in budgets if one.is_open or one.account in tree.standing]
    if (root := tree.standing.get(ours.root)) is None:
        if not told:
            return []
        missing = What.FOREIGN if _is_of_others(tree, ours.root) else What.NO_GROUP
        found = [Difference(account=ours.root, what=missing, wanted="root")]
    elif _is_of_others(tree, ours.root):
        found = [Difference(account=ours.root, what=What.FOREIGN, wanted=root.parent)]
    else:
        found = []
    if any(one.what == What.FOREIGN for one in found):
        return found  # set by mistake to somebody else's account: nothing here is ours
    inside = tree.below(ours.root)
    groups = {ours.root: None} | dict(_groups(told, ours))
    found += _group_differences(tree, groups, ours, inside)
    lost = {one.account for one in found if one.what == What.FOREIGN}
    for budget in told:
        group = ours.group(budget.share)
        parent = ours.root if group in lost else group
        found += _budget_differences(tree, budget, ours, parent, inside)
    if whole:
        known = {budget.account for budget in budgets} | groups.keys() | {ours.root}
        found += _strays(tree, inside - known, ours)
        found += _borrowed(tree, inside, {budget.account for budget in told})
    return found


def _groups(budgets: Iterable[Budget], ours: Ours) -> Iterator[tuple[str, int | None]]:
    for budget in budgets:
        yield ours.group(budget.share), budget.share_percent


def _group_differences(
    tree: Tree, groups: dict[str, int | None], ours: Ours, inside: set[str]
) -> Iterator[Difference]:
    for name, percent in sorted(groups.items()):
        standing = tree.standing.get(name)
        if name == ours.root:
            yield from _strangers(name, standing, frozenset())
            continue
        if _is_elsewhere(tree, name, inside):
            yield Difference(account=name, what=What.FOREIGN, wanted=ours.root)
            continue
        if standing is None:
            yield Difference(account=name, what=What.NO_GROUP, wanted=ours.root)
        elif standing.parent != ours.root:
            moved = {"there": standing.parent, "wanted": ours.root}
            yield Difference(account=name, what=What.PARENT, **moved)
        fairshare = standing.fairshare if standing else None
        if percent is not None and percent != fairshare:
            there = "" if fairshare is None else str(fairshare)
            yield Difference(
                account=name, what=What.FAIRSHARE, there=there, wanted=str(percent)
            )
        yield from _strangers(name, standing, frozenset())


def _budget_differences(
    tree: Tree, budget: Budget, ours: Ours, parent: str, inside: set[str]
) -> list[Difference]:
    name = budget.account
    is_group = name in {ours.root, parent}
    if is_group or _is_elsewhere(tree, name, inside):
        return [Difference(account=name, what=What.FOREIGN, wanted=parent)]
    qos, standing = tree.qos.get(name), tree.standing.get(name)
    if qos and qos.described != ours.mark:
        return [Difference(account=name, what=What.FOREIGN_QOS, there=qos.described)]
    found = [*_qos_differences(name, qos, -(-budget.gpu_seconds // MINUTE_S))]
    found += _account_differences(name, standing, parent)
    if standing and standing.is_closed == budget.is_open:
        what = What.IS_CLOSED if standing.is_closed else What.IS_OPEN
        found.append(Difference(account=name, what=what))
    if budget.is_open:  # nobody can use a closed one, whoever is its member
        members = frozenset({ours.user, *budget.users})
        found += _member_differences(name, standing, members)
        found += _strangers(name, standing, members)
    return found


def _qos_differences(name: str, qos: Qos | None, minutes: int) -> Iterator[Difference]:
    if qos is None:
        yield Difference(account=name, what=What.NO_QOS, wanted=str(minutes))
        return
    if qos.minutes != minutes:
        there = "" if qos.minutes is None else str(qos.minutes)
        yield Difference(account=name, what=What.LIMIT, there=there, wanted=str(minutes))
    if qos.flags != FLAGS:
        there = ",".join(sorted(qos.flags))
        wanted = ",".join(sorted(FLAGS))
        yield Difference(account=name, what=What.FLAGS, there=there, wanted=wanted)
    if qos.factor != FACTOR:
        yield Difference(
            account=name, what=What.FACTOR, there=f"{qos.factor:g}", wanted=f"{FACTOR:g}"
        )


def _account_differences(
    name: str, standing: Standing | None, parent: str
) -> Iterator[Difference]:
    if standing is None:
        yield Difference(account=name, what=What.NO_ACCOUNT, wanted=parent)
        return
    if standing.parent != parent:
        yield Difference(account=name, what=What.PARENT, there=standing.parent, wanted=parent)
    if (standing.qos, standing.default_qos) != (name, name):
        yield Difference(account=name, what=What.ALLOWED, there=standing.qos, wanted=name)


def _member_differences(
    name: str, standing: Standing | None, members: frozenset[str]
) -> Iterator[Difference]:
    there = standing.members if standing else {}
    for user in sorted(members):
        member = there.get(user, Member())
        if not member.is_general:
            yield Difference(account=name, what=What.NO_MEMBER, user=user)
        if member.is_blocked:
            yield Difference(account=name, what=What.BLOCKED, user=user)
        if member.qos:
            yield Difference(account=name, what=What.OWN_QOS, user=user, there=member.qos)


def _strangers(
    name: str, standing: Standing | None, members: frozenset[str]
) -> Iterator[Difference]:
    """Find who is a member and should not be; one who is blocked waits for jobs to end."""
    for user, member in sorted(standing.members.items()) if standing else ():
        if user not in members and not (member.is_blocked and member.is_general):
            yield Difference(account=name, what=What.STRANGER, user=user)


def _strays(tree: Tree, names: set[str], ours: Ours) -> Iterator[Difference]:
    for name in sorted(names):
        standing = tree.standing[name]
        is_group = standing.parent == ours.root and name.startswith(f"{ours.root}-")
        if is_group:  # of a share that has no budgets now
            yield from _strangers(name, standing, frozenset())
        elif not standing.is_closed:
            yield Difference(account=name, what=What.STRAY, there=standing.parent)


def _borrowed(tree: Tree, inside: set[str], names: set[str]) -> Iterator[Difference]:
    """Find accounts of others that may use a QOS of ours: theirs are not ours to change."""
    for other, standing in sorted(tree.standing.items()):
        if other in inside:
            continue
        theirs = (standing.qos, *(member.qos for member in standing.members.values()))
        words = {word.lstrip("+") for qos in theirs for word in qos.split(",")}
        for name in sorted(words & names - {other}):
            yield Difference(account=name, what=What.BORROWED, there=other)


def _is_elsewhere(tree: Tree, name: str, inside: set[str]) -> bool:
    if name in tree.standing:
        return name not in inside
    return _is_of_others(tree, name)


def _is_of_others(tree: Tree, name: str) -> bool:
    """Whether an account of this name, here or on another cluster, is described otherwise."""
    return tree.described.get(name, OURS) != OURS

"""What is told to sacctmgr to take differences away: few lines, each for many accounts.

A line costs about as much for twenty names as for one (0.3 s with 20,500 associations), so
accounts to which the same happens share one. What takes away comes before what gives.
"""

from collections.abc import Iterable, Iterator

from fabriek.engines.slurm_difference import FLAGS, OURS, Difference, Ours, What
from fabriek.engines.slurm_tree import pieces

# From so many new accounts and members on, a file is written. Loading it took 4 s for 300
# accounts and 9 s for 2,000 members where lines took 180 s and 35 s: an account needs a line of
# its own, since its QOS is.
LOAD_FROM = 50
ADDED = frozenset({What.NO_ACCOUNT, What.NO_MEMBER})


def file(found: Iterable[Difference], ours: Ours) -> str:
    """Write new accounts and members for `sacctmgr load`, which only ever adds.

    Empty when there are so few that lines are quicker.
    """
    listed = list(found)
    if not _is_filed(listed):
        return ""
    text = [f"Cluster - '{ours.cluster}'"]
    for parent, accounts in _by_wanted(listed, What.NO_ACCOUNT).items():
        text.append(f"Parent - '{parent}'")
        text += [
            f"Account - '{name}':Description='{OURS}':Organization='{OURS}'"
            f":QOS='{name}':DefaultQOS='{name}'"
            for name in accounts
        ]
    members: dict[str, list[str]] = {}
    for one in listed:
        if one.what == What.NO_MEMBER:
            members.setdefault(one.account, []).append(one.user)
    for name, users in members.items():
        text += [f"Parent - '{name}'", *(f"User - '{user}'" for user in users)]
    return "".join(f"{line}\n" for line in text)


def lines(found: Iterable[Difference], ours: Ours, *, again: bool = False) -> list[str]:
    """Give what is written before the file is loaded: all that is not in it.

    `again`: it was written once. Who could not be removed then still has jobs there, and is
    kept from submitting more.
    """
    listed = list(found)
    is_filed = _is_filed(listed)
    rest = [one for one in listed if not (is_filed and one.what in ADDED)]
    return [
        *_taking(rest, ours, again=again),
        *_groups(rest, ours),
        *_qos(rest, ours),
        *_accounts(rest, ours),
        *_members(rest, ours),
    ]


def _is_filed(found: list[Difference]) -> bool:
    return sum(one.what in ADDED for one in found) >= LOAD_FROM


def _taking(found: list[Difference], ours: Ours, *, again: bool) -> Iterator[str]:
    closing = {one.account for one in found if one.what in {What.IS_OPEN, What.STRAY}}
    yield from _account_set(closing, "GrpSubmitJobs=0", ours)
    for users, accounts in _members_by_user(found, What.STRANGER):
        where = f"name={users} account={accounts} cluster={ours.cluster}"
        yield f"delete user where {where}"
        if again:
            yield f"modify user where {where} set MaxSubmitJobs=0"
    for users, accounts in _members_by_user(found, What.OWN_QOS):
        where = f"name={users} account={accounts} cluster={ours.cluster}"
        yield f"modify user where {where} set qos= defaultqos=-1"


def _groups(found: list[Difference], ours: Ours) -> Iterator[str]:
    # Our root, whose parent is Slurm's own, before the accounts below it.
    added = _by_wanted(found, What.NO_GROUP)
    for parent in sorted(added, key=lambda parent: parent == ours.root):
        for names in pieces(added[parent]):
            yield (
                f"add account {names} cluster={ours.cluster} parent={parent} "
                f"description={OURS} organization={OURS}"
            )
    for percent, accounts in _by_wanted(found, What.FAIRSHARE).items():
        yield from _account_set(accounts, f"fairshare={percent}", ours)


def _qos(found: list[Difference], ours: Ours) -> Iterator[str]:
    flags = ",".join(sorted(FLAGS))
    for minutes, accounts in _by_wanted(found, What.NO_QOS).items():
        for names in pieces(accounts):
            yield (
                f'add qos {names} description="{ours.mark}" flags={flags} '
                f"GrpTRESMins=gres/gpu={minutes}"
            )
    for minutes, accounts in _by_wanted(found, What.LIMIT).items():
        yield from _qos_set(accounts, f"GrpTRESMins=gres/gpu={minutes}")
    for wanted, accounts in _by_wanted(found, What.FLAGS).items():
        yield from _qos_set(accounts, f"flags={wanted}")
    for factor, accounts in _by_wanted(found, What.FACTOR).items():
        yield from _qos_set(accounts, f"UsageFactor={factor}")


def _accounts(found: list[Difference], ours: Ours) -> Iterator[str]:
    for parent, accounts in _by_wanted(found, What.NO_ACCOUNT).items():
        for name in accounts:
            yield (
                f"add account {name} cluster={ours.cluster} parent={parent} "
                f"description={OURS} organization={OURS} qos={name} defaultqos={name}"
            )
    for parent, accounts in _by_wanted(found, What.PARENT).items():
        yield from _account_set(accounts, f"parent={parent}", ours)
    for qos, accounts in _by_wanted(found, What.ALLOWED).items():
        yield from _account_set(accounts, f"qos={qos} defaultqos={qos}", ours)
    opening = {one.account for one in found if one.what == What.IS_CLOSED}
    yield from _account_set(opening, "GrpSubmitJobs=-1", ours)


def _members(found: list[Difference], ours: Ours) -> Iterator[str]:
    for users, accounts in _members_by_user(found, What.NO_MEMBER):
        yield f"add user {users} account={accounts} cluster={ours.cluster}"
    for users, accounts in _members_by_user(found, What.BLOCKED):
        where = f"name={users} account={accounts} cluster={ours.cluster}"
        yield f"modify user where {where} set MaxSubmitJobs=-1"


def _account_set(accounts: Iterable[str], change: str, ours: Ours) -> Iterator[str]:
    for names in pieces(set(accounts)):
        yield f"modify account where name={names} cluster={ours.cluster} set {change}"


def _qos_set(accounts: Iterable[str], change: str) -> Iterator[str]:
    for names in pieces(set(accounts)):
        yield f"modify qos where name={names} set {change}"


def _by_wanted(found: Iterable[Difference], what: What) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for one in found:
        if one.what == what:
            grouped.setdefault(one.wanted, []).append(one.account)
    return grouped


def _members_by_user(found: Iterable[Difference], what: What) -> Iterator[tuple[str, str]]:
    """Give users with the accounts where the same happens to all of them."""
    accounts: dict[str, set[str]] = {}
    for one in found:
        if one.what == what:
            accounts.setdefault(one.user, set()).add(one.account)
    users: dict[frozenset[str], list[str]] = {}
    for user, theirs in accounts.items():
        users.setdefault(frozenset(theirs), []).append(user)
    for where, named in users.items():
        for some in pieces(named):
            for names in pieces(where):
                yield some, names

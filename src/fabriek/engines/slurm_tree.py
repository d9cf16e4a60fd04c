"""What Slurm's accounting holds of accounts, their users and QOSes, read from `sacctmgr list`.

`list associations` is read and not `dump`: for 20,500 associations it takes half the time
(2.3 s to 4.0 s), it has no free text in it, and it needs no file on the login node.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

ASSOCIATION = (
    "Account", "User", "Partition", "ParentName", "Share", "GrpSubmitJobs", "MaxSubmitJobs",
    "QOS", "DefaultQOS",
)  # fmt: skip
# What others may have written comes last, so that a sign in it moves no other field.
QOS = ("Name", "Flags", "UsageFactor", "GrpTRESMins", "Description")
ACCOUNT = ("Account", "Description")
# How the first line of each listing begins. Slurm writes names and descriptions small, so no
# other line can look like these.
HEADERS = {"Account|User|": "association", "Name|Flags|": "qos", "Account|Descr": "account"}
# sacctmgr without readline reads lines of up to 4,096 signs.
LINE_MOST = 3_000


@dataclass(slots=True)
class Member:
    """A user in an account; `qos`: what it may use beside what its account may."""

    is_general: bool = False
    is_blocked: bool = False
    qos: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """An account as it stands in the tree of our cluster; "" is the parent of the topmost."""

    parent: str
    fairshare: int | None = None
    is_closed: bool = False
    qos: str = ""
    default_qos: str = ""
    members: dict[str, Member] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Qos:
    """`minutes`: how many GPU-minutes it lets through in all; None: as many as one likes."""

    minutes: int | None
    flags: frozenset[str]
    factor: float
    described: str


@dataclass(frozen=True, slots=True)
class Tree:
    """`described`: accounts of all clusters, with their descriptions; those of ours stand."""

    standing: dict[str, Standing] = field(default_factory=dict)
    qos: dict[str, Qos] = field(default_factory=dict)
    described: dict[str, str] = field(default_factory=dict)

    def below(self, root: str) -> set[str]:
        """Name all accounts below `root`, at any depth; a parent that was not read has none."""
        children: dict[str, list[str]] = {}
        for name, account in self.standing.items():
            children.setdefault(account.parent, []).append(name)
        found: set[str] = set()
        front = [root]
        while front:
            fresh = [name for name in children.get(front.pop(), []) if name not in found]
            found.update(fresh)
            front += fresh
        return found


def questions(cluster: str, names: Collection[str] = ()) -> list[str]:
    """Ask for these accounts and QOSes, or for all of them; one line each, for one sacctmgr."""
    return [
        *_listing(
            f"associations woplimits where cluster={cluster}", "account", ASSOCIATION, names
        ),
        *_listing("qos where", "name", QOS, names),
        *_listing("accounts where", "name", ACCOUNT, names),
    ]


def _listing(
    what: str, key: str, fields: tuple[str, ...], names: Collection[str]
) -> Iterator[str]:
    form = f"format={','.join(fields)}"
    if not names:
        yield f"list {what.removesuffix(' where')} {form}"
    for some in pieces(names):
        yield f"list {what} {key}={some} {form}"


def pieces(names: Collection[str]) -> Iterator[str]:
    """Join names by commas, in lines that every sacctmgr can read."""
    line = ""
    for name in sorted(names):
        if line and len(line) + len(name) > LINE_MOST:
            yield line
            line = ""
        line = f"{line},{name}" if line else name
    if line:
        yield line


def tree(said: str) -> Tree:
    """Read what sacctmgr printed, with --parsable2 and with its headers.

    Raises: ValueError, when a listing lacks.
    """
    parts: dict[str, list[str]] = {}
    part: list[str] = []
    for line in said.split("\n"):
        begun = _begun(line) if line[:1] in "AN" else ""
        if begun:
            part = parts.setdefault(begun, [])
        elif line and not line.startswith("sacctmgr:"):
            part.append(line)
    if lacking := sorted(set(HEADERS.values()) - parts.keys()):
        raise ValueError(f"sacctmgr lists no {' and no '.join(lacking)}")
    return Tree(
        _standing(parts["association"]),
        dict(_qos(parts["qos"])),
        _described(parts["account"]),
    )


def accounts(said: str) -> Tree:
    """Read the first listing alone."""
    return Tree(_standing(said.split("\n")))


def _begun(line: str) -> str:
    return next((part for header, part in HEADERS.items() if line.startswith(header)), "")


def _standing(lines: Iterable[str]) -> dict[str, Standing]:
    accounts: dict[str, Standing] = {}
    members: dict[str, dict[str, Member]] = {}
    for line in lines:
        fields = line.split("|")
        if len(fields) != len(ASSOCIATION):
            continue
        name, user, partition, parent, share, group, most, qos, default = fields
        theirs = members.setdefault(name, {})
        if user:
            member = theirs.setdefault(user, Member())
            member.is_general |= not partition
            member.is_blocked |= not partition and most == "0"
            member.qos = member.qos or qos or default
            continue
        accounts[name] = Standing(
            parent=parent,
            fairshare=int(share) if share.isdigit() else None,
            is_closed=group == "0",
            qos=qos,
            default_qos=default,
            members=theirs,
        )
    return accounts


def _qos(lines: Iterable[str]) -> Iterator[tuple[str, Qos]]:
    for line in lines:
        fields = line.split("|", len(QOS) - 1)
        if len(fields) == len(QOS):
            name, flags, factor, limits, described = fields
            yield (
                name,
                Qos(
                    minutes=gpu_minutes(limits),
                    flags=frozenset(flags.split(",")) - {""},
                    factor=float(factor or 1),
                    described=described,
                ),
            )


def _described(lines: Iterable[str]) -> dict[str, str]:
    parted = (line.partition("|") for line in lines)
    return {name: description for name, mark, description in parted if mark}


def gpu_minutes(limits: str) -> int | None:
    """Find the GPU-minutes in `cpu=10,gres/gpu=121`; None: there is no limit."""
    for limit in limits.split(","):
        name, _, amount = limit.partition("=")
        if name == "gres/gpu" and amount.isdigit():
            return int(amount)
    return None

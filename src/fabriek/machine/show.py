"""What the page of the machine says, the same for the page, its live part and the API."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from fabriek.engines.base import Machine, Node, NodeState
from fabriek.kernel import words
from fabriek.kernel.errors import Text
from fabriek.kernel.steps import NextStep
from fabriek.machine import queries
from fabriek.machine.queries import Users
from fabriek.machine.standing import Seen
from fabriek.people.models import Person
from fabriek.runs import expected_start, waits
from fabriek.runs.models import Run

NODE_STATES: dict[NodeState, Text] = {
    NodeState.FREE: gettext_lazy("free"),
    NodeState.BUSY: gettext_lazy("in use"),
    NodeState.DRAINING: gettext_lazy("takes nothing new"),
    NodeState.DOWN: gettext_lazy("out of service"),
    NodeState.UNKNOWN: gettext_lazy("state not known"),
}
MANY_NODES = 24


@dataclass(frozen=True, kw_only=True, slots=True)
class Tile:
    label: Text
    value: str
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeTile:
    """A node as the picture has it."""

    name: str
    state: NodeState
    label: Text
    cells: SafeString
    used: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnRun:
    code: str
    url: str
    case: str
    title: str
    state: str
    label: str
    gpus: int
    queue_position: int | None
    waiting: str
    expected_start: str
    starts_expected_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Now:
    """How it is now, as one person may know it.

    `trouble`: why what stands here may no longer be so. `waiting`: what to expect.
    """

    seen: Seen | None
    machine: Machine | None
    trouble: str
    steps: Sequence[NextStep]
    waiting: str
    tiles: Sequence[Tile]
    nodes: Sequence[NodeTile]
    runs: Sequence[OwnRun]
    more_runs: bool
    users: Users

    @property
    def is_large(self) -> bool:
        """Whether so many nodes are drawn that each must be small."""
        return len(self.nodes) > MANY_NODES


def now(person: Person, seen: Seen | None) -> Now:
    own = queries.own_cases(person)
    found = list(queries.own_runs(own)[: queries.MOST_RUNS + 1])
    machine = _known_to(person, seen.machine) if seen and seen.machine else None
    users = queries.users(person, own)
    said = lead(seen, runs=len(found) if person.roles else None)
    return Now(
        seen=seen,
        machine=machine,
        trouble=trouble(person, seen),
        steps=_steps(person, said),
        waiting=said,
        tiles=_tiles(machine, users) if machine else (),
        nodes=[_node_tile(node) for node in machine.nodes] if machine else (),
        runs=[_own_run(run) for run in found[: queries.MOST_RUNS]],
        more_runs=len(found) > queries.MOST_RUNS,
        users=users,
    )


def trouble(person: Person, seen: Seen | None) -> str:
    """Say why the facts are old, and what that means; nothing while they are new."""
    if seen is None:
        return ""
    if seen.is_unwatched:
        return _unwatched(person, seen)
    if seen.silent_since is None:
        return ""
    since = words.moment(seen.silent_since)
    if seen.machine is None:
        return _("The machine gives no answer since %(since)s.") % {"since": since}
    return _(
        "The machine gives no answer since %(since)s. What stands below is how it was then. "
        "Runs that run go on without the factory."
    ) % {"since": since}


def _unwatched(person: Person, seen: Seen) -> str:
    said = _("The factory last looked at the machine on %(at)s, so this may no longer be so.")
    told = said % {"at": words.moment(seen.asked_at)}
    if person.is_factory_staff:
        return f"{told} " + _("Its loop stands still: see that `fabriek up` runs.")
    return f"{told} " + _("Tell the factory if this stays so.")


def lead(seen: Seen | None, *, runs: int | None) -> str:
    """Say in one sentence what to expect. `runs`: how many one has; None: one has no cases."""
    machine = seen.machine if seen else None
    if seen and (seen.silent_since or seen.is_unwatched):
        return _kept(runs)
    if machine is None:
        return _("The factory has not seen the machine yet. It looks every 15 seconds.")
    if machine.gpus_free:
        return ngettext(
            "%(count)s GPU is free. A run that asks no more than that can start soon.",
            "%(count)s GPUs are free. A run that asks no more than that can start soon.",
            machine.gpus_free,
        ) % {"count": words.number(machine.gpus_free)}
    if any(node.state.takes_jobs for node in machine.nodes):
        return _("All GPUs are in use. A run that you start now waits for its turn.")
    return _("The machine takes no new runs now.") + " " + _kept(runs)


def _kept(runs: int | None) -> str:
    if runs is None:
        return _("Runs that wait are kept, and start as soon as the machine can.")
    if runs:
        return _(
            "Your runs are kept: what waits starts by itself as soon as the machine can. You "
            "need to do nothing."
        )
    return _("A run that you start now is kept, and starts as soon as the machine can.")


def _known_to(person: Person, machine: Machine) -> Machine:
    """Keep from others than staff why a node is out: whoever wrote it wrote for colleagues."""
    if person.is_factory_staff:
        return machine
    return replace(machine, nodes=tuple(replace(node, reason="") for node in machine.nodes))


def _node_tile(node: Node) -> NodeTile:
    return NodeTile(
        name=node.name,
        state=node.state,
        label=NODE_STATES[node.state],
        cells=_cells(node.gpus_used, node.gpus - node.gpus_used, node.state.takes_jobs),
        used=_used(node),
        reason=node.reason,
    )


@lru_cache(maxsize=256)
def _cells(used: int, left: int, takes_jobs: bool) -> SafeString:
    """Draw the GPUs of a node; most nodes look like others."""
    kind = "free" if takes_jobs else "out"
    cells = '<i class="gpu gpu--used"></i>' * used + f'<i class="gpu gpu--{kind}"></i>' * left
    return mark_safe(cells)  # noqa: S308  nothing in it that somebody wrote


def _used(node: Node) -> str:
    return ngettext(
        "%(used)s of %(count)s GPU in use", "%(used)s of %(count)s GPUs in use", node.gpus
    ) % {"used": node.gpus_used, "count": node.gpus}


def _steps(person: Person, said: str) -> list[NextStep]:
    if not person.roles:
        return []
    return [
        NextStep(
            name="run",
            label=gettext_lazy("Start a run"),
            sentence=said,
            url=reverse("runs:new"),
            method="get",
        )
    ]


def _tiles(machine: Machine, users: Users) -> list[Tile]:
    kinds = ", ".join(sorted({node.gpu_kind for node in machine.nodes if node.gpu_kind}))
    of_all = ngettext("of %(count)s GPU", "of %(count)s GPUs", machine.gpus) % {
        "count": words.number(machine.gpus)
    }
    asked = ngettext(
        "Together they ask for %(count)s GPU.",
        "Together they ask for %(count)s GPUs.",
        machine.gpus_waited_for,
    ) % {"count": words.number(machine.gpus_waited_for)}
    ours = ngettext(
        "%(count)s run of this factory waits.",
        "%(count)s runs of this factory wait.",
        users.total.waiting,
    ) % {"count": words.number(users.total.waiting)}
    notes = ((asked, machine.jobs_waiting), (ours, users.total.waiting))
    return [
        Tile(
            label=_("GPUs free"),
            value=words.number(machine.gpus_free),
            note=f"{of_all} ({kinds})" if kinds else of_all,
        ),
        Tile(label=_("GPUs in use"), value=words.number(machine.gpus_used)),
        Tile(label=_("GPUs out of service"), value=words.number(machine.gpus_out)),
        Tile(
            label=_("Waiting in the queue"),
            value=words.number(machine.jobs_waiting),
            note=" ".join(said for said, counted in notes if counted),
        ),
    ]


def _own_run(run: Run) -> OwnRun:
    return OwnRun(
        code=run.code,
        url=run.get_absolute_url(),
        case=run.case.code,
        title=run.case.title,
        state=run.state,
        label=run.get_state_display(),
        gpus=run.gpus,
        queue_position=run.queue_position,
        waiting=waits.sentence(run.queue_position, run.waiting_reason),
        expected_start=expected_start.sentence(run),
        starts_expected_at=run.starts_expected_at,
    )

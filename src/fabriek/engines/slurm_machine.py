"""How a Slurm cluster stands: its nodes with GPUs, and who waits for them; two commands."""

import re
from collections.abc import Iterable

from fabriek.engines.base import EngineDown, Machine, Node, NodeState
from fabriek.engines.slurm_ask import fields, new_mark
from fabriek.engines.slurm_shell import Shell
from fabriek.engines.slurm_words import gpus

OF_A_NODE = ("NodeList", "StateLong", "Gres", "GresUsed", "Reason")
OF_A_JOB = ("State", "tres-alloc")
REASON_MAX = 200
# node_state_string() in slurm/src/common/slurm_protocol_defs.c, 20.11 to 25.05, without the
# sign behind it. That a node is powered down or planned for a later job keeps nobody out.
TAKES_JOBS = frozenset(
    {"allocated", "completing", "idle", "mixed", "planned", "powered_down", "powering_up"}
)
DRAINING = frozenset(
    {"blocked", "drained", "draining", "failing", "maint", "reboot", "reboot_issued"}
    | {"reboot_requested", "reserved"}
)
DOWN = frozenset({"down", "error", "fail", "future", "inval", "powering_down", "unknown"})
SIGNS = "*~#!%$@^-+"
SILENT = "*"
GPU = re.compile(r"(?:^|,)gpu(?::(?P<kind>[^:,()]+))?:(?P<count>\d+)")


def machine_of(shell: Shell, partition: str = "") -> Machine:
    """Ask for the nodes of `partition`, or of all, and for the jobs of everybody.

    Raises: EngineDown.
    """
    mark = new_mark()
    nodes = _told(
        shell,
        mark,
        OF_A_NODE,
        "sinfo",
        "--Node",
        *([f"--partition={partition}"] if partition else ["--all"]),
    )
    # --array: of an array that waits, each task counts.
    jobs = _told(
        shell, mark, OF_A_JOB, "squeue", "--all", "--array", "--states=PENDING,RUNNING"
    )
    waiting, running = _gpus_asked(jobs, "PENDING"), _gpus_asked(jobs, "RUNNING")
    return Machine(
        nodes=_nodes(nodes),
        jobs_running=len(running),
        jobs_waiting=len(waiting),
        gpus_waited_for=sum(waiting),
    )


def node_state(told: str, gpus_used: int) -> NodeState:
    """Understand `mixed`, `drained*` and the like."""
    word = told.rstrip(SIGNS)
    if SILENT in told.removeprefix(word) or word in DOWN:
        return NodeState.DOWN
    if word in DRAINING:
        return NodeState.DRAINING
    if word in TAKES_JOBS:
        return NodeState.BUSY if gpus_used else NodeState.FREE
    return NodeState.UNKNOWN


def gpus_of(gres: str) -> tuple[int, str]:
    """Count the GPUs in `gpu:h200:4(S:0-1),mps:100`, and name their kinds."""
    found = list(GPU.finditer(gres))
    kinds = {match["kind"] for match in found if match["kind"]}
    return sum(int(match["count"]) for match in found), ", ".join(sorted(kinds))


def _nodes(rows: Iterable[dict[str, str]]) -> tuple[Node, ...]:
    """Take each node once: it is told once for each of its partitions."""
    found = {row["NodeList"]: _node(row) for row in rows}
    return tuple(node for _, node in sorted(found.items(), key=_in_order) if node.gpus)


def _in_order(named: tuple[str, Node]) -> list[tuple[int, str]]:
    """Put gpu2 before gpu10."""
    parts = re.findall(r"\d+|\D+", named[0])
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _node(row: dict[str, str]) -> Node:
    count, kind = gpus_of(row["Gres"])
    used, _ = gpus_of(row["GresUsed"])
    state = node_state(row["StateLong"], used)
    why = "" if row["Reason"] == "none" or state.takes_jobs else row["Reason"].strip()
    return Node(
        name=row["NodeList"],
        state=state,
        gpus=count,
        gpus_used=min(used, count),
        gpu_kind=kind,
        reason=why[:REASON_MAX],
    )


def _gpus_asked(jobs: Iterable[dict[str, str]], state: str) -> list[int]:
    asked = (gpus(job["tres-alloc"]) for job in jobs if job["State"] == state)
    return [count for count in asked if count]


def _told(shell: Shell, mark: str, names: tuple[str, ...], *words: str) -> list[dict[str, str]]:
    wanted = ",".join(f"{name}:{mark}" for name in names)
    told = shell.ask(*words, "--noheader", f"--Format={wanted}")
    if told.code:
        raise EngineDown(f"{words[0]}: {told.err.strip()[:300]}")
    return list(fields(told.out, mark, names))

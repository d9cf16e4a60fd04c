"""What budgets cost on a cluster with 20,500 associations: written, compared, changed."""

import resource
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from bench.table import Table
from fabriek.engines.base import Budget
from fabriek.engines.slurm import Site, Slurm
from fabriek.engines.slurm_budget import Budgets

ROOT = "fabriek-bench-tree"
SHARES = ("eu", "nl", "nb")
ACCOUNTS = 500
USERS = tuple(f"benchuser{number:02}" for number in range(39))  # and the engine's own
GPU_S = 36_000
TIMES = 3


def measure(home: Path, conf: str, *, small: bool) -> Table:
    """Make a tree of its own, and remove it again."""
    budgets = _many(ACCOUNTS // 10 if small else ACCOUNTS)
    engine = Slurm(home, Site(conf=conf, root=ROOT))
    try:
        rows = list(_rows(engine.budgets, budgets))
    finally:
        _remove([budget.account for budget in budgets])
    return Table(
        title=f"Budgets on a cluster with {len(budgets) * (2 + len(USERS)):,} associations",
        header=("what", "seconds", "CPU s of ours", "CPU s with sacctmgr"),
        rows=rows,
        note=f"{len(budgets)} accounts of {1 + len(USERS)} users. A diff reads all with one "
        "sacctmgr; a change takes one to read, one to write and one to read again. Goal for a "
        "diff: under 1 s of CPU.",
    )


def _many(count: int) -> list[Budget]:
    return [
        Budget(
            account=f"bench-tree-{number:04}",
            gpu_seconds=GPU_S * (1 + number % 5),
            share=SHARES[number % 3],
            share_percent=30,
            users=USERS,
        )
        for number in range(count)
    ]


def _rows(kept: Budgets, budgets: list[Budget]) -> list[tuple[object, ...]]:
    one, *_others = budgets
    raised = Budget(
        account=one.account,
        gpu_seconds=2 * one.gpu_seconds,
        share=one.share,
        share_percent=one.share_percent,
        users=one.users,
    )
    rows = [("written, all of them new, and read again", *_cost(lambda: kept.tell(budgets)))]
    diffs = [_cost(lambda: _agree(kept, budgets)) for _ in range(TIMES)]
    rows.append((f"diff of all, nothing differs (best of {TIMES})", *min(diffs)))
    rows.append(("one budget told that has not changed", *_cost(lambda: kept.tell([one]))))
    rows.append(("one budget raised", *_cost(lambda: kept.tell([raised]))))
    rows.append(("found and set right again", *_cost(lambda: kept.mend(budgets))))
    return rows


def _agree(kept: Budgets, budgets: list[Budget]) -> None:
    if found := kept.drift(budgets):
        raise RuntimeError(f"{len(found)} differences, such as {found[0]}.")


def _cost(work: Callable[[], object]) -> tuple[float, float, float]:
    began, before = time.perf_counter(), _cpu_s()
    work()
    took_s = time.perf_counter() - began
    ours, theirs = (now - then for now, then in zip(_cpu_s(), before, strict=True))
    return took_s, ours, ours + theirs


def _cpu_s() -> tuple[float, float]:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    ours, theirs = (one.ru_utime + one.ru_stime for one in used)
    return ours, theirs


def _remove(accounts: list[str]) -> None:
    """Take the tree away from its root, or the default accounts of its users would hold it."""
    groups = [f"{ROOT}-{share}" for share in SHARES]
    for what, names in (
        ("account", [ROOT]),
        ("account", [*accounts, *groups]),
        ("qos", accounts),
        ("user", USERS),
    ):
        words = ("sacctmgr", "-iQ", "delete", what, "where", f"name={','.join(names)}")
        subprocess.run(words, capture_output=True, check=False)

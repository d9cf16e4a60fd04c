"""A factory whose loop is killed again and again, at whatever it is doing at that moment.

A program of its own, as the loop must die as a process dies: its database is a file, its
passes are those of `fabriek loop`, and SIGKILL ends them. The parent, which has read all the
code, forks a loop for each round; in between it asks for runs and wishes some of them gone.
Prints a JSON object that says what the kills fell into and how each run ended.
"""

import json
import logging
import mmap
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from pathlib import Path

import django

django.setup()

from django.db import connections  # noqa: E402  only once Django is set up

from fabriek.allocations import ledger  # noqa: E402
from fabriek.allocations import queries as allocation_queries  # noqa: E402
from fabriek.allocations.models import Allocation  # noqa: E402
from fabriek.engines.slurm_shell import Shell  # noqa: E402
from fabriek.machine import books  # noqa: E402
from fabriek.runs import actions, folders, jobs, reconcile, remembered, tail  # noqa: E402
from fabriek.runs import engine as engines  # noqa: E402
from fabriek.runs.models import Run  # noqa: E402
from fabriek.runs.states import UNFINISHED, RunState  # noqa: E402
from fabriek.serve import loop  # noqa: E402
from tests.runs.world import a_world  # noqa: E402

ASKED_EVERY = 2  # rounds
UNTOLD_EVERY = 10
UNWANTED_AFTER = 3  # runs
ENDS_WITHIN_S = 90
NAP_S = 0.4
# What runs do, one after the other; each says so once.
WORK = ("sleep 0.2", "exit 3", "sleep 600", "sleep 1.2", "true")
UNWANTED = WORK.index("sleep 600")
# Where an sbatch is slow: before it asks the controller, or before it tells the answer.
SLOW = {
    "slow-to-ask": '#!/bin/sh\nsleep {nap}\nexec {sbatch} "$@"\n',
    "slow-to-tell": '#!/bin/sh\nsaid=$({sbatch} "$@") || exit\nsleep {nap}\necho "$said"\n',
}
# The longest that a loop lives; on a busy machine until the end of its first pass.
PLAIN_S, SLOW_S = 0.3, 0.7

doing = mmap.mmap(-1, 64)


def main(account: str, rounds: int) -> None:
    logging.getLogger("fabriek").setLevel(logging.WARNING)
    world = a_world(gpu_seconds=10**8)
    world.allocation.account = account
    world.allocation.save()
    jobs.command_of = _work_of
    reconcile.CLAIM = timedelta(seconds=0.3)  # a minute for each kill would make two hours
    _watch()
    dice = random.Random(20261126)
    loop.one_pass()  # opens the budget, which takes longer than a loop lives here
    pass_s = _pass_s()
    fell = [_round(world, number, dice, pass_s) for number in range(rounds)]
    _until_all_are_over(world)
    told = {
        "fell": Counter(doing for doing, _ in fell),
        "orphaned": sum(orphans for _, orphans in fell),
    }
    json.dump(told | _facts(world), sys.stdout)


def _pass_s() -> float:
    """Measure a loop from its birth to the end of its first pass, here and now."""
    connections.close_all()
    began = time.monotonic()
    child = os.fork()
    if not child:
        try:
            loop.one_pass()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    return time.monotonic() - began


def _round(world, number: int, dice: random.Random, pass_s: float) -> tuple[str, int]:
    """Let a loop live for a moment; give what it died in, and how many jobs it left unnoted."""
    if number % ASKED_EVERY == 0:
        _wish(world)
    # To tell a budget takes longer than most of these loops live: one of them comes to no more.
    is_told = number % UNTOLD_EVERY != 0
    Allocation.objects.update(told_gpu_seconds=world.allocation.gpu_seconds_granted * is_told)
    slow = {2: "slow-to-ask", 3: "slow-to-tell"}.get(number % 4)
    connections.close_all()
    doing[:] = bytes(len(doing))
    child = os.fork()
    if not child:
        _pass_for_ever(slow)
    most_s = max(SLOW_S, NAP_S + pass_s) if slow else max(PLAIN_S, pass_s)
    time.sleep(dice.uniform(0.1 if slow else 0.0, most_s))
    os.kill(child, signal.SIGKILL)
    ended = os.waitpid(child, 0)[1]
    if os.WTERMSIG(ended) != signal.SIGKILL:
        raise RuntimeError(f"The loop ended by itself: {ended}")
    return doing[:].rstrip(b"\0").decode() or "nothing", _orphans()


def _pass_for_ever(slow: str | None) -> None:
    try:
        if slow:
            os.environ["PATH"] = f"{_slow_folder(slow)}:{os.environ['PATH']}"
        while True:
            loop.one_pass()
    finally:
        os._exit(1)


def _slow_folder(kind: str) -> Path:
    folder = Path(os.environ["FABRIEK_HOME"]) / kind
    if not folder.exists():
        folder.mkdir()
        script = SLOW[kind].format(nap=NAP_S, sbatch="/usr/bin/sbatch")
        (folder / "sbatch").write_text(script)
        (folder / "sbatch").chmod(0o755)
    return folder


def _wish(world) -> None:
    """Ask for a run, and wish those gone that would never end, some rounds later."""
    number = Run.objects.count()
    world.ask(seed=number, gpus=1 + number % 2)
    for run in Run.objects.filter(state__in=UNFINISHED, cancel_asked_at=None):
        is_due = number - run.seed >= UNWANTED_AFTER
        if run.seed % len(WORK) == UNWANTED and is_due:
            actions.cancel(run, by=world.person)


def _work_of(run: Run) -> tuple[str, ...]:
    return ("/bin/sh", "-c", f"echo once >>traces; {WORK[run.seed % len(WORK)]}")


def _orphans() -> int:
    """Count the runs that Slurm has and of which the database does not know that it has."""
    known = subprocess.run(
        ["squeue", "--all", "--states=all", "--noheader", "--format=%j"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    return Run.objects.filter(state=RunState.WAITING, key__in=known).count()


def _until_all_are_over(world) -> None:
    until = time.monotonic() + ENDS_WITHIN_S
    for run in Run.objects.filter(state__in=UNFINISHED):
        if run.seed % len(WORK) == UNWANTED:
            actions.cancel(run, by=world.person)
    while Run.objects.filter(state__in=UNFINISHED).exists() and time.monotonic() < until:
        loop.one_pass()
        time.sleep(0.1)


def _facts(world) -> dict[str, object]:
    return {
        "held": world.held(),
        "drift": allocation_queries.drift().count(),
        "runs": [
            {
                "key": run.key,
                "work": WORK[run.seed % len(WORK)],
                "state": run.state,
                "billed": world.bill(run),
                "traces": _traces(run),
            }
            for run in Run.objects.order_by("pk")
        ],
    }


def _traces(run: Run) -> list[str]:
    left = run.folder / "traces"
    return left.read_text().split() if left.exists() else []


def _watch() -> None:
    """Note what the loop is doing, where its death must not matter."""
    engine = engines.engine()
    for owner, name in (
        (folders, "prepare"), (engine, "submit"), (engine, "look"), (engine, "cancel"),
        (tail, "catch_up"), (reconcile, "_advance"), (remembered, "keep"),
        (reconcile, "tell_budgets"), (tail, "_keep"), (ledger, "settle"), (books, "tick"),
    ):  # fmt: skip
        setattr(owner, name, _noting(getattr(owner, name), lambda *_, name=name: name))
    Shell.ask = _noting(Shell.ask, lambda _shell, *words: _command_in(words))


def _command_in(words: tuple[str, ...]) -> str:
    return "sbatch" if "sbatch" in words else words[0]


def _noting(real, name_of):
    @wraps(real)
    def noted(*args, **kwargs):
        with _noted(name_of(*args)):
            return real(*args, **kwargs)

    return noted


@contextmanager
def _noted(name: str):
    before = doing[:]
    doing[:] = name.encode().ljust(len(doing), b"\0")
    yield
    doing[:] = before


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

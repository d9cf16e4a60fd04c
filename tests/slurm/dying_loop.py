"""A factory whose loop is killed again and again, at whatever it is doing at that moment.

A program of its own, as the loop must die as a process dies: its database is a file, its
passes are those of `fabriek loop`, and SIGKILL ends them. The parent, which has read all the
code, forks a loop for each round; in between it asks for runs and wishes some of them gone.
When a loop dies is counted in what it does, not in seconds: so a slow machine tries the same.
Prints a JSON object that says what the kills fell into and how each run ended.
"""

import json
import logging
import mmap
import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
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
from fabriek.runs import (  # noqa: E402
    actions,
    folders,
    jobs,
    moves,
    reconcile,
    remembered,
    tail,
)
from fabriek.runs import engine as engines  # noqa: E402
from fabriek.runs.models import Run  # noqa: E402
from fabriek.runs.states import UNFINISHED, RunState  # noqa: E402
from fabriek.serve import loop  # noqa: E402
from tests.runs.world import a_world  # noqa: E402

ASKED_EVERY = 2  # rounds
UNTOLD_EVERY = 10
UNWANTED_AFTER = 3  # runs
ENDS_WITHIN_S = 600  # on the slowest machine
# What runs do, one after the other; each says so once.
WORK = ("sleep 0.2", "exit 3", "sleep 600", "sleep 1.2", "true")
UNWANTED = WORK.index("sleep 600")
# Where an sbatch is so slow that its loop is dead before it asks the controller, or before it
# tells the answer. What it does after that falls together with what the next loop does.
OUTLIVES = """\
: >{folder}/reached
while kill -0 {loop} 2>&-; do sleep 0.02; done
sleep 0.1
"""
SLOW = {
    "slow-to-ask": f'#!/bin/sh\n{OUTLIVES}exec {{sbatch}} "$@"\n',
    "slow-to-tell": f'#!/bin/sh\nsaid=$({{sbatch}} "$@") || exit\n{OUTLIVES}echo "$said"\n',
}
# In rounds in which a run was asked for just before, so that there is one to be sent.
SLOW_IN = {2: "slow-to-ask", 6: "slow-to-tell"}
SLOW_EVERY = 8  # rounds
# The most that any other loop does before it dies, and how far it may come in the last of it.
STEPS_MOST, MOMENT_S = 16, 0.03


class Doing:
    """What a loop does at this moment, in memory that its parent sees."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 64)

    def forget(self) -> None:
        self._shared[:] = bytes(len(self._shared))

    @property
    def steps(self) -> int:
        """How many things it began to do."""
        return int(struct.unpack_from("Q", self._shared)[0])

    @property
    def name(self) -> str:
        return self._shared[8:].rstrip(b"\0").decode()

    @name.setter
    def name(self, name: str) -> None:
        self._shared[8:] = name.encode().ljust(len(self._shared) - 8, b"\0")

    @contextmanager
    def noted(self, name: str):
        before, self.name = self.name, name
        struct.pack_into("Q", self._shared, 0, self.steps + 1)
        yield
        self.name = before


doing = Doing()


def main(account: str, rounds: int) -> None:
    logging.getLogger("fabriek").setLevel(logging.WARNING)
    world = a_world(gpu_seconds=10**8)
    world.allocation.account = account
    world.allocation.save()
    jobs.command_of = _work_of
    reconcile.CLAIM = timedelta(seconds=0.3)  # a minute for each kill would make two hours
    _watch()
    dice = random.Random(20261126)
    loop.one_pass()  # opens the budget, which takes longer than most loops live here
    fell = [_round(world, number, dice) for number in range(rounds)]
    _until_all_are_over(world)
    told = {
        "fell": Counter(doing for doing, _ in fell),
        "orphaned": sum(orphans for _, orphans in fell),
    }
    json.dump(told | _facts(world), sys.stdout)


def _round(world, number: int, dice: random.Random) -> tuple[str, int]:
    """Let a loop live for a moment; give what it died in, and how many jobs it left unnoted."""
    if number % ASKED_EVERY == 0:
        _wish(world)
    # To tell a budget takes longer than most of these loops live: one of them comes to no more.
    is_told = number % UNTOLD_EVERY != 0
    Allocation.objects.update(told_gpu_seconds=world.allocation.gpu_seconds_granted * is_told)
    slow = SLOW_IN.get(number % SLOW_EVERY)
    reached = _folder_of(slow) / "reached" if slow else None
    connections.close_all()
    doing.forget()
    child = os.fork()
    if not child:
        _pass_for_ever(slow)
    if reached:
        _until(child, reached.exists)
        reached.unlink(missing_ok=True)
    else:
        steps = dice.randint(0, STEPS_MOST)
        _until(child, lambda: doing.steps >= steps)
        time.sleep(dice.uniform(0, MOMENT_S))
    os.kill(child, signal.SIGKILL)
    ended = os.waitpid(child, 0)[1]
    if os.WTERMSIG(ended) != signal.SIGKILL:
        raise RuntimeError(f"The loop ended by itself: {ended}")
    return doing.name or "nothing", _orphans()


def _until(child: int, is_so: Callable[[], bool]) -> None:
    """Wait, but not for one that ended by itself."""
    how = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while not is_so() and os.waitid(os.P_PID, child, how) is None:
        time.sleep(0.001)


def _pass_for_ever(slow: str | None) -> None:
    try:
        if slow:
            os.environ["PATH"] = f"{_with_slow_sbatch(slow)}:{os.environ['PATH']}"
        while True:
            loop.one_pass()
    finally:
        os._exit(1)


def _folder_of(kind: str) -> Path:
    folder = Path(os.environ["FABRIEK_HOME"]) / kind
    folder.mkdir(exist_ok=True)
    return folder


def _with_slow_sbatch(kind: str) -> Path:
    """Make an sbatch that outlives this process."""
    folder = _folder_of(kind)
    script = SLOW[kind].format(folder=folder, loop=os.getpid(), sbatch="/usr/bin/sbatch")
    (folder / "sbatch").unlink(missing_ok=True)  # the one before may still be read
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
        (tail, "catch_up"), (moves, "take"), (remembered, "keep"),
        (reconcile, "tell_budgets"), (tail, "_keep"), (ledger, "settle"), (books, "tick"),
    ):  # fmt: skip
        setattr(owner, name, _noting(getattr(owner, name), lambda *_, name=name: name))
    Shell.ask = _noting(Shell.ask, lambda _shell, *words: _command_in(words))


def _command_in(words: tuple[str, ...]) -> str:
    return "sbatch" if "sbatch" in words else words[0]


def _noting(real, name_of):
    @wraps(real)
    def noted(*args, **kwargs):
        with doing.noted(name_of(*args)):
            return real(*args, **kwargs)

    return noted


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

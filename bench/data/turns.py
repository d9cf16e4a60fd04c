"""One after the other, round after round: what a shared machine does then hits all alike."""

import os
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from bench.table import Table

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))  # fewer where an hour is too long


@dataclass(frozen=True, kw_only=True, slots=True)
class Took:
    """Seconds of each round, and of them those of a processor, ours and our children's.

    What a server of its own spent is not among those.
    """

    seconds: list[float]
    cpu: list[float] = field(default_factory=list)

    @property
    def best_s(self) -> float:
        return min(self.seconds)

    @property
    def median_s(self) -> float:
        return statistics.median(self.seconds)

    @property
    def cpu_s(self) -> float:
        """The least: what others did meanwhile only adds to it."""
        return min(self.cpu)


def in_turn(
    works: Mapping[str, Callable[[int], object]],
    *,
    rounds: int = ROUNDS,
    before: Callable[[str, int], object] = lambda _name, _turn: None,
) -> dict[str, Took]:
    """Time each of `works` once a round, `rounds` times; they get the number of the round.

    `before` makes things ready, outside the clock.
    """
    took = {name: Took(seconds=[]) for name in works}
    for turn in range(rounds):
        for name, work in works.items():
            before(name, turn)
            began, cpu = time.perf_counter(), _cpu_s()
            work(turn)
            took[name].seconds.append(time.perf_counter() - began)
            took[name].cpu.append(_cpu_s() - cpu)
    return took


def beside(
    title: str, took: Mapping[str, Took], *, ours: str = "", peer: str = "", times: float = 0
) -> Table:
    """Tell how long each took, and how much faster ours was than the peer: at least `times`.

    Without a peer, or where it cannot be had, nothing is promised.
    """
    rows = [(name, each.best_s, each.median_s, each.cpu_s) for name, each in took.items()]
    told = Table(title=title, header=("what", "best s", "median s", "least CPU s"), rows=rows)
    if not peer:
        return told
    if peer not in took:
        return replace(told, note=f"{peer}: not to be had here.")
    faster = took[peer].best_s / took[ours].best_s
    turns = len(took[ours].seconds)
    note = f"Ours is {faster:.1f} times as fast as {peer} (goal: {times}); best of {turns}."
    return replace(told, note=note, ok=faster >= times)


def _cpu_s() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)

"""One after the other, round after round: what a shared machine does then hits all alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ROUNDS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Took:
    """Seconds of each round."""

    seconds: list[float]

    @property
    def best_s(self) -> float:
        return min(self.seconds)

    @property
    def median_s(self) -> float:
        return statistics.median(self.seconds)


def in_turn(
    works: Mapping[str, Callable[[int], object]],
    *,
    rounds: int = ROUNDS,
    before: Callable[[str, int], object] = lambda _name, _turn: None,
) -> dict[str, Took]:
    """Time each of `works` once a round, `rounds` times; they get the number of the round.

    `before` makes things ready, outside the clock.
    """
    took: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(rounds):
        for name, work in works.items():
            before(name, turn)
            began = time.perf_counter()
            work(turn)
            took[name].append(time.perf_counter() - began)
    return {name: Took(seconds=seconds) for name, seconds in took.items()}

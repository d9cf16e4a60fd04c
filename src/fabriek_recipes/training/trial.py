"""A dry run: some steps to see how fast they are and what memory they take; nothing is kept."""

from __future__ import annotations

import resource
from collections.abc import Callable
from statistics import median

# The first steps still make room and compile; they are not what the others take.
WARMING_UP = 2


class Tried(Exception):
    """The steps of a dry run are done: what was measured, and no more is to be learned."""

    def __init__(self, measured: dict[str, float]) -> None:
        """Keep the figures."""
        super().__init__("the dry run is over")
        self.measured = measured


class Trial:
    """Counts steps up to `steps_max`; 0: this is no dry run."""

    def __init__(self, steps_max: int, peak_bytes: Callable[[], int]) -> None:
        """Begin; `peak_bytes` gives the most memory that was in use."""
        self._most, self._peak_bytes = steps_max, peak_bytes
        self._steps: list[tuple[float, int]] = []

    def note(self, seconds: float, tokens: int, *, is_last: bool) -> None:
        """Note a step.

        Raises:
            Tried: it was the last one of a dry run.
        """
        if not self._most:
            return
        self._steps.append((seconds, tokens))
        if is_last or len(self._steps) >= self._most:
            raise Tried(self._measured())

    def _measured(self) -> dict[str, float]:
        warm = self._steps[WARMING_UP:] or self._steps
        return {
            "steps": len(self._steps),
            "seconds_per_step": median(seconds for seconds, _tokens in warm),
            "tokens_per_step": median(tokens for _seconds, tokens in warm),
            "memory_bytes": self._peak_bytes(),
        }


def process_bytes() -> int:
    """Give the most memory that this process had in use, for what learns on a processor."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

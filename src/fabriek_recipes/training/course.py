"""Sees from the loss of the steps that a run has gone astray, before all its time is spent."""

from __future__ import annotations

from collections import deque
from statistics import fmean
from typing import cast

from fabriek_recipes.events import Json
from fabriek_recipes.words import Failed, _

# One bad step tells nothing; so many that stay far above the start do not come back.
STEPS = 10
FACTOR = 2.0


class Course:
    """Compares the last steps with the first ones."""

    def __init__(self) -> None:
        """Begin; no step was made yet."""
        self._first: list[float] = []
        self._last: deque[float] = deque(maxlen=STEPS)

    def state(self) -> dict[str, Json]:
        """Give what a checkpoint keeps of it."""
        return {"first_losses": cast("list[Json]", list(self._first))}

    def resume(self, state: dict[str, Json]) -> None:
        """Go on as a checkpoint says."""
        self._first = list(cast("list[float]", state.get("first_losses") or []))

    def note(self, step: int, loss: float) -> None:
        """Note a step.

        Raises:
            Failed: `diverged`: the last steps together are far above the first ones.
        """
        if step <= STEPS:
            self._first.append(loss)
            return
        self._last.append(loss)
        if len(self._first) < STEPS or len(self._last) < STEPS:
            return
        # All of them: rows differ, and ten hard ones in a row are no reason to stop a run.
        is_above = min(self._last) > max(self._first)
        if is_above and fmean(self._last) > FACTOR * fmean(self._first):
            raise Failed(
                "diverged",
                _(
                    "The loss rose to %(loss)s where it began at %(first)s, so that the run "
                    "was stopped at step %(step)s; lower the learning rate."
                ),
                loss=round(fmean(self._last), 3),
                first=round(fmean(self._first), 3),
                step=step,
            )

"""What is looked at while a model learns: its loss on rows kept apart, and what it writes.

Nothing here draws a random number that the steps draw too: a run that is looked at, or is
stopped and goes on, ends the same to the bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

import torch
from transformers import PreTrainedModel

from fabriek_recipes.events import Json
from fabriek_recipes.training import pace
from fabriek_recipes.training.group import Group
from fabriek_recipes.training.objective import Objective
from fabriek_recipes.training.packing import Example, pack
from fabriek_recipes.words import Sentence

# As many as show the course of a run; each costs a pass over some rows.
LOOKS = 10
# Of the work of learning, for all looks together: reading costs a third of learning, or half.
SHARE = 0.1
# Fewer texts say little; so few cost nothing.
TEXTS_LEAST = 32
TOKENS_AT_ONCE = 8_192
# Of the time of learning: writing is slow, and shows how answers change, not how good they are.
WRITING_SHARE = 0.03

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What to look at; `flop_per_token` is what learning costs, 0 where nobody counted.

    `patience`: after how many looks without a lower loss the run stops; 0: never.
    `rows_at_once`: read together in a look; 0: by how many tokens they have.
    `remark`: what to say of the scores where the looks chose the weights.
    """

    rows: Sequence[Sequence[Example]] = ()
    flop_per_token: float = 0.0
    patience: int = 0
    rows_at_once: int = 0
    remark: Sentence | None = None
    show: Callable[[int], None] | None = None


def some(held_out: Sequence[Example], *, width: int, tokens: int) -> list[list[Example]]:
    """Choose texts for the looks and pack them. `tokens`: learned from in the whole run."""
    return pack(spread(held_out, [len(each.ids) for each in held_out], tokens=tokens), width)


def spread(rows: Sequence[T], sizes: Sequence[int], *, tokens: int) -> Sequence[T]:
    """Choose rows of these sizes for the looks, spread evenly; all when they cost little."""
    if not rows:
        return []
    mean = sum(sizes) / len(sizes)
    most = max(TEXTS_LEAST, int(SHARE * tokens / LOOKS / max(1.0, mean)))
    apart = max(1, math.ceil(len(rows) / most))
    return rows[::apart]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The model that is looked at, and by which loss; `fill` is a token for filling."""

    model: PreTrainedModel
    objective: Objective
    fill: int

    @torch.no_grad()
    def loss(
        self,
        rows: Sequence[Sequence[Example]],
        *,
        size: int,
        group: Group,
        get_on: Callable[[], None],
    ) -> float:
        """Give the loss as a step would, `size` rows at a time, shared over the group.

        Nobody is heard who asks to stop: that is done after the step, with all of it saved.
        `get_on` is called after each part.
        """

        def part(number: int) -> tuple[float, int]:
            chosen = rows[number * size : (number + 1) * size]
            total = self.objective.loss(self.model, chosen, self.fill).item()
            get_on()
            return total, self.objective.weight(chosen)

        parts = group.share(math.ceil(len(rows) / size), part)
        total, weight = (sum(each[place] for each in parts) for place in (0, 1))
        return total / max(1, weight)


class Watcher:
    """Looks at fixed steps, and knows where the loss was lowest."""

    def __init__(self, watch: Watch, seen: Seen, *, steps: int, group: Group) -> None:
        """Begin; nothing was looked at yet."""
        self.watch, self.steps, self._seen, self._group = watch, steps, seen, group
        self._every = max(1, math.ceil(steps / LOOKS))
        self.best_loss: float | None = None
        self.best_step = 0
        self._since = 0
        self._writing_s = 0.0

    @property
    def is_patient(self) -> bool:
        """Whether the lowest loss decides which weights are taken."""
        return self.watch.patience > 0 and bool(self.watch.rows)

    @property
    def is_enough(self) -> bool:
        """Whether the loss has not become lower for too long."""
        return self.is_patient and self._since >= self.watch.patience

    def state(self) -> dict[str, Json]:
        """Give what a checkpoint keeps of the looks."""
        return {"best_loss": self.best_loss, "best_step": self.best_step, "since": self._since}

    def resume(self, state: dict[str, Json]) -> None:
        """Go on as the checkpoint says; one of before there were looks says nothing."""
        self.best_loss = cast("float | None", state.get("best_loss"))
        self.best_step = int(str(state.get("best_step", 0)))
        self._since = int(str(state.get("since", 0)))

    def is_due(self, step: int) -> bool:
        """Whether this step is one to look at."""
        return step % self._every == 0 or step == self.steps

    def look(
        self, step: int, learning_s: float, get_on: Callable[[], None]
    ) -> tuple[float | None, bool]:
        """Give the loss on rows kept apart, and whether it is the lowest so far.

        `get_on` is called whenever a part of the work, about as large as a step, was done.
        """
        with _looking(self._seen.model):
            loss = self._loss(get_on)
            get_on()  # the others are done too
            self._show(step, learning_s)
        if loss is None:
            return None, False
        is_best = math.isfinite(loss) and (self.best_loss is None or loss < self.best_loss)
        if is_best:
            self.best_loss, self.best_step, self._since = loss, step, 0
        else:
            self._since += 1
        return loss, is_best

    def _loss(self, get_on: Callable[[], None]) -> float | None:
        rows = self.watch.rows
        if not rows:
            return None
        width = max(sum(len(each.ids) for each in row) for row in rows)
        size = self.watch.rows_at_once or max(1, TOKENS_AT_ONCE // max(1, width))
        return self._seen.loss(rows, size=size, group=self._group, get_on=get_on)

    def _show(self, step: int, learning_s: float) -> None:
        """Let the first process write a few answers; at the end all rows are scored anyway."""
        show = self.watch.show
        if show is None or step >= self.steps:
            return
        is_dear = self._writing_s > WRITING_SHARE * learning_s
        started = time.monotonic()
        if self._group.seat.leads and not is_dear:
            self._group.beside(lambda: show(step))
            self._writing_s += time.monotonic() - started
        else:
            self._group.beside(lambda: None)


@contextmanager
def _looking(model: PreTrainedModel) -> Iterator[None]:
    """Switch off what only learning does; after it each part is as it was."""
    learning = [each for each in model.modules() if each.training]
    model.eval()
    try:
        with pace.as_it_came(model):
            yield
    finally:
        for each in learning:
            each.training = True

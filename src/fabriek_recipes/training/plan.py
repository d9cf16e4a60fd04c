"""What a run learns from, in which steps and how fast: it follows from seed and step alone."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from fabriek_recipes.training import packing
from fabriek_recipes.training.packing import Example, Frame, order


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to learn from, in which steps, and how fast."""

    rows: Sequence[Sequence[Example]]
    rows_per_step: int
    epochs: int
    fill: int
    seed: int
    learning_rate: float
    warmup_percent: int
    weight_decay: float
    gradient_norm_max: float
    checkpoint_every_steps: int

    @property
    def steps_per_epoch(self) -> int:
        """Steps in one pass over the data."""
        return math.ceil(len(self.rows) / self.rows_per_step)

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.steps_per_epoch * self.epochs

    @property
    def widest(self) -> int:
        """Tokens of the longest row."""
        return max((sum(len(text.ids) for text in row) for row in self.rows), default=0)

    def frame(self, rows: int) -> Frame:
        """Give a shape that any so many rows fit in."""
        return packing.frame(self.rows, rows)

    def rate(self, step: int) -> float:
        """Give a step's learning rate: a straight rise, then half a cosine down to zero."""
        warmup = max(1, self.steps * self.warmup_percent // 100)
        if step < warmup:
            return self.learning_rate * (step + 1) / warmup
        done = (step - warmup) / max(1, self.steps - warmup)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * done))

    def rows_of(self, step: int) -> list[Sequence[Example]]:
        """Give a step's rows; they depend on seed and step alone, so a resumed run agrees."""
        epoch, place = divmod(step, self.steps_per_epoch)
        shuffled = _order(len(self.rows), self.seed, epoch)
        start = place * self.rows_per_step
        return [self.rows[index] for index in shuffled[start : start + self.rows_per_step]]

    def random_state(self, step: int, rank: int) -> int:
        """Give what a step's dropout starts from; after a resume it is the same again."""
        name = f"{self.seed}:{step}:{rank}".encode()
        return int.from_bytes(hashlib.sha256(name).digest()[:8])


@lru_cache(maxsize=1)  # of 100,000 rows it takes longer than a small step
class Paced(Protocol):
    """Settings that say how fast is learned."""

    @property
    def epochs(self) -> int:
        """Say how often all is learned from."""

    @property
    def learning_rate(self) -> float:
        """Say how far a step moves."""

    @property
    def warmup_percent(self) -> int:
        """Say how long the beginning is gentle."""

    @property
    def weight_decay(self) -> float:
        """Say how strongly weights are kept small."""

    @property
    def gradient_norm_max(self) -> float:
        """Say to what a larger step is shortened."""

    @property
    def checkpoint_every_steps(self) -> int:
        """Say after how many steps the run is saved."""


def planned(
    knobs: Paced,
    rows: Sequence[Sequence[Example]],
    *,
    rows_per_step: int,
    seed: int,
    fill: int = 0,
) -> Plan:
    """Plan a run by its settings."""
    return Plan(
        rows=rows,
        rows_per_step=rows_per_step,
        fill=fill,
        seed=seed,
        epochs=knobs.epochs,
        learning_rate=knobs.learning_rate,
        warmup_percent=knobs.warmup_percent,
        weight_decay=knobs.weight_decay,
        gradient_norm_max=knobs.gradient_norm_max,
        checkpoint_every_steps=knobs.checkpoint_every_steps,
    )


def _order(count: int, seed: int, epoch: int) -> list[int]:
    return order(count, seed=seed, epoch=epoch)

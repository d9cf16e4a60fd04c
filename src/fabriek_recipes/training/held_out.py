"""Which rows are kept from learning: chosen by what they say alone."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Generic, TypeVar

from fabriek_recipes.events import Json
from fabriek_recipes.words import Sentence, _

# Fewer rows than this tell nothing when some are kept apart, and each is needed.
ROWS_TO_SPLIT = 10
# As few as this can choose weights by their mean loss, or be scored on; fewer are luck.
HALF_MIN = 10

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Halves(Generic[T]):
    """Rows kept apart: those that are looked at while learning, and those to score on.

    `choosing`: the looks decide which weights are taken. `is_shared`: both are the same rows.
    """

    looked_at: Sequence[T]
    scored: Sequence[T]
    choosing: bool
    is_shared: bool

    @property
    def remark(self) -> Sentence | None:
        """Say why the scores are too good, where the rows scored on chose the weights."""
        if not self.choosing or not self.is_shared:
            return None
        text = _(
            "Only %(rows)s rows are kept apart, too few to divide (%(least)s are needed): they "
            "decide when to stop and which weights to take, and are scored on as well. The "
            "scores are a little too good. Keep more rows apart for a fair score."
        )
        return Sentence(text, rows=len(self.scored), least=2 * HALF_MIN)

    def facts(self) -> dict[str, Json]:
        """Tell a report on how many rows it was scored, and how many others chose, if any."""
        told: dict[str, Json] = {"rows_held_out": len(self.scored)}
        if not self.is_shared:
            told["rows_chose"] = len(self.looked_at)
        return told


def apart(hashes: Sequence[str], *, percent: int, most: int) -> set[str]:
    """Choose the lowest hashes until enough rows are apart; of rows that are all alike, none.

    Equal rows fall on the same side, and adding rows moves few others.
    """
    if len(hashes) < ROWS_TO_SPLIT:
        return set()
    wanted = min(most, ceil(len(hashes) * percent / 100))
    counts = Counter(hashes)
    chosen: set[str] = set()
    for name in sorted(counts)[:-1]:
        if wanted <= 0:
            break
        chosen.add(name)
        wanted -= counts[name]
    return chosen


def halved(rows: Sequence[T], names: Sequence[str], *, choosing: bool) -> Halves[T]:
    """Let one half of the rows kept apart choose the weights, and the other half score them.

    `names`: what each row says; rows of one name stay together. Nothing is divided where
    nothing is chosen (`choosing`), nor where either half would be too small.
    """
    looked_at = _first_half(names) if choosing else set()
    one = [row for row, name in zip(rows, names, strict=True) if name in looked_at]
    other = [row for row, name in zip(rows, names, strict=True) if name not in looked_at]
    is_shared = min(len(one), len(other)) < HALF_MIN
    if is_shared:
        one = other = list(rows)
    return Halves(looked_at=one, scored=other, choosing=choosing, is_shared=is_shared)


def _first_half(names: Sequence[str]) -> set[str]:
    """Choose by a hash of its own: that of the name already chose what is kept apart."""
    counts = Counter(names)
    wanted = len(names) // 2
    chosen: set[str] = set()
    for name in sorted(counts, key=lambda one: hashlib.sha256(f"look {one}".encode()).digest()):
        if wanted <= 0:
            break
        chosen.add(name)
        wanted -= counts[name]
    return chosen

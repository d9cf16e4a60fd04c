"""Lets a model answer questions of any length, each with as much room as its context leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fabriek_recipes.training.base import Base
from fabriek_recipes.training.encoding import context_of
from fabriek_recipes.training.prediction import Pick, answers
from fabriek_recipes.training.process import Job, K

# Gives what draws tokens for some of the questions.
Draw = Callable[[Sequence[int]], Pick]


def answered(
    job: Job[K],
    base: Base,
    prompts: Sequence[list[int]],
    *,
    tokens_max: int,
    draw: Draw | None = None,
) -> list[tuple[list[int], bool]]:
    """Give each answer in tokens, and whether it was cut off; every question fits by itself."""
    context = context_of(base)
    by_room: dict[int, list[int]] = {}
    for place, prompt in enumerate(prompts):
        room = max(1, context - len(prompt))
        # Few different rooms: those who share one are answered together.
        fitting = min(tokens_max, 1 << (room.bit_length() - 1))
        by_room.setdefault(fitting, []).append(place)
    found: dict[int, tuple[list[int], bool]] = {}
    for room, places in sorted(by_room.items()):
        told = answers(
            base.model,
            [prompts[place] for place in places],
            stops=base.stops,
            tokens_max=room,
            check=job.stop.check,
            group=job.group,
            pick=draw(places) if draw else None,
        )
        found |= {
            place: (ids, len(ids) >= room) for place, ids in zip(places, told, strict=True)
        }
    return [found[place] for place in range(len(prompts))]

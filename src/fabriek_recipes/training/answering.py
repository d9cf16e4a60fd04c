"""Lets a model answer questions of any length, each with as much room as its context leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fabriek_recipes.training.base import Base
from fabriek_recipes.training.encoding import context_of
from fabriek_recipes.training.group import Group
from fabriek_recipes.training.prediction import Pick, answers
from fabriek_recipes.training.process import Job, K

# Gives what draws tokens for some of the questions.
Draw = Callable[[Sequence[int]], Pick]
# One letter is four tokens at most, and one may have begun before the part that is looked at.
TOKENS_BEFORE_A_STOP = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How answers are written: up to so many tokens, or to one of the texts in `until`.

    `group`: who share the work; empty: all processes of the job.
    """

    tokens_max: int
    until: tuple[str, ...] = ()
    draw: Draw | None = None
    group: Group | None = None


def answered(
    job: Job[K], base: Base, prompts: Sequence[list[int]], writing: Writing
) -> list[tuple[str, list[int], bool]]:
    """Give each answer as text and in tokens, and whether it was cut off.

    Every question fits by itself. A text that ends an answer is not part of it; the tokens are
    those that were written.
    """
    context = context_of(base)
    by_room: dict[int, list[int]] = {}
    for place, prompt in enumerate(prompts):
        room = max(1, context - len(prompt))
        # Few different rooms: those who share one are answered together.
        fitting = min(writing.tokens_max, 1 << (room.bit_length() - 1))
        by_room.setdefault(fitting, []).append(place)
    found: dict[int, tuple[str, list[int], bool]] = {}
    for room, places in sorted(by_room.items()):
        told = answers(
            base.model,
            [prompts[place] for place in places],
            stops=base.stops,
            tokens_max=room,
            check=job.stop.check,
            group=writing.group or job.group,
            pick=writing.draw(places) if writing.draw else None,
            ended=_ended(base, writing.until),
        )
        for place, ids in zip(places, told, strict=True):
            text, is_ended = before(_text(base, ids), writing.until)
            found[place] = (text, ids, len(ids) >= room and not is_ended)
    return [found[place] for place in range(len(prompts))]


def before(text: str, until: Sequence[str]) -> tuple[str, bool]:
    """Give what stands before the first of these, and whether one was there."""
    ends = [place for stop in until if (place := text.find(stop)) >= 0]
    return (text[: min(ends)], True) if ends else (text, False)


def _ended(base: Base, until: Sequence[str]) -> Callable[[list[int]], bool] | None:
    """Tell when a text to stop at has come: else the model writes on for nothing.

    The end is looked at first. What is found there is looked for in the whole once more, as
    some tokenizers write the beginning of a text differently.
    """
    if not until:
        return None
    most = max(len(stop.encode()) for stop in until) + TOKENS_BEFORE_A_STOP

    def ended(ids: list[int]) -> bool:
        return all(before(_text(base, part), until)[1] for part in (ids[-most:], ids))

    return ended


def _text(base: Base, ids: list[int]) -> str:
    return str(base.tokenizer.decode(ids, skip_special_tokens=True))

"""Scores a model on rows it never learned from: exact answers, and loss on their tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from fabriek_recipes.training.base import Base
from fabriek_recipes.training.encoding import Encoded
from fabriek_recipes.training.group import Group
from fabriek_recipes.training.packing import pack
from fabriek_recipes.training.prediction import answers, text_losses
from fabriek_recipes.training.refusals import no_number
from fabriek_recipes.training.showing import written
from fabriek_recipes.training.stopping import Stop

# An answer this much longer than the longest expected one is wrong however it goes on.
TOKENS_SPARE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """How well the model did; of each row, in their order, its summed loss, and what it wrote.

    Those that a checkpoint kept tell only the two figures.
    """

    exact_match: float
    loss: float
    losses: tuple[float, ...] = ()
    answers: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()


def score(
    base: Base,
    held_out: Sequence[Encoded],
    *,
    answer_tokens_max: int,
    width: int,
    stop: Stop,
    group: Group,
) -> Scores:
    """Let the model answer each row greedily, and measure its loss on the true answers.

    With no tokens to answer in, only the loss is measured.
    The processes of `group` share the work; each gets the same scores.

    Raises:
        Failed: `nan_loss`, when the model's weights are no longer numbers.
        Stopped: when the engine asks to stop.
    """
    rows = pack([each.example for each in held_out], width)
    told = text_losses(base, rows, size=max(1, 8_192 // width), stop=stop, group=group)
    by_text = {id(text): loss for text, loss in zip(chain(*rows), told, strict=True)}
    losses = tuple(by_text[id(each.example)] for each in held_out)
    loss = sum(losses) / max(1, sum(each.example.learned for each in held_out))
    if not math.isfinite(loss):
        raise no_number()
    if not answer_tokens_max:
        return Scores(exact_match=0.0, loss=loss, losses=losses)
    longest = max(len(each.answer_ids) for each in held_out)
    ids = answers(
        base.model,
        [each.prompt_ids for each in held_out],
        stops=base.stops,
        tokens_max=min(answer_tokens_max, longest + TOKENS_SPARE),
        check=stop.check,
        group=group,
    )
    texts = tuple(written(base, each) for each in ids)
    # What the template makes of the answer: a call of a tool is no text before that.
    expected = tuple(written(base, each.answer_ids) for each in held_out)
    right = sum(text == wanted for text, wanted in zip(texts, expected, strict=True))
    return Scores(
        exact_match=right / len(texts),
        loss=loss,
        losses=losses,
        answers=texts,
        expected=expected,
    )

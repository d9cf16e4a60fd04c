"""Scores a model on rows it never learned from: exact answers, and loss on their tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fabriek_recipes.finetune_lm.data import Encoded
from fabriek_recipes.training.base import Base
from fabriek_recipes.training.group import Group
from fabriek_recipes.training.packing import pack
from fabriek_recipes.training.prediction import answers, mean_loss
from fabriek_recipes.training.stopping import Stop
from fabriek_recipes.words import Failed, _

# An answer this much longer than the longest expected one is wrong however it goes on.
TOKENS_SPARE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """How well the model did; `answers` in the order of the rows."""

    exact_match: float
    loss: float
    answers: tuple[str, ...]


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

    The processes of `group` share the work; each gets the same scores.

    Raises:
        Failed: `nan_loss`, when the model's weights are no longer numbers.
        Stopped: when the engine asks to stop.
    """
    rows = pack([each.example for each in held_out], width)
    loss = mean_loss(base, rows, size=max(1, 8_192 // width), stop=stop, group=group)
    if not math.isfinite(loss):
        raise Failed(
            "nan_loss",
            _("The model's loss is not a number; choose another base model or a lower rate."),
        )
    longest = max(len(each.example.ids) - each.example.learn_from for each in held_out)
    ids = answers(
        base.model,
        [each.prompt_ids for each in held_out],
        stops=base.stops,
        tokens_max=min(answer_tokens_max, longest + TOKENS_SPARE),
        check=stop.check,
        group=group,
    )
    texts = tuple(base.tokenizer.decode(each, skip_special_tokens=True).strip() for each in ids)
    right = [is_right(each, text) for each, text in zip(held_out, texts, strict=True)]
    return Scores(exact_match=sum(right) / len(right), loss=loss, answers=texts)


def is_right(encoded: Encoded, answer: str) -> bool:
    """Tell whether an answer is the expected one, but for space around it."""
    return answer == encoded.row.completion.strip()

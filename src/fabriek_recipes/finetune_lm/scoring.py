"""Scores a model on rows it never learned from: exact answers, and loss on their tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from fabriek_recipes.finetune_lm.data import Encoded
from fabriek_recipes.training.base import Base
from fabriek_recipes.training.packing import batch, pack
from fabriek_recipes.training.prediction import answers, loss_sum
from fabriek_recipes.training.process import Stop
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
    base: Base, held_out: Sequence[Encoded], *, answer_tokens_max: int, width: int, stop: Stop
) -> Scores:
    """Let the model answer each row greedily, and measure its loss on the true answers.

    Raises:
        Failed: `nan_loss`, when the model's weights are no longer numbers.
        Stopped: when the engine asks to stop.
    """
    loss = _loss(base, held_out, width, stop)
    longest = max(len(each.example.ids) - each.example.learn_from for each in held_out)
    ids = answers(
        base.model,
        [each.prompt_ids for each in held_out],
        stops=base.stops,
        tokens_max=min(answer_tokens_max, longest + TOKENS_SPARE),
        check=stop.check,
    )
    texts = tuple(base.tokenizer.decode(each, skip_special_tokens=True).strip() for each in ids)
    right = [is_right(each, text) for each, text in zip(held_out, texts, strict=True)]
    return Scores(exact_match=sum(right) / len(right), loss=loss, answers=texts)


def is_right(encoded: Encoded, answer: str) -> bool:
    """Tell whether an answer is the expected one, but for space around it."""
    return answer == encoded.row.completion.strip()


@torch.no_grad()
def _loss(base: Base, held_out: Sequence[Encoded], width: int, stop: Stop) -> float:
    total, tokens = 0.0, 0
    rows = pack([each.example for each in held_out], width)
    size = max(1, 8_192 // width)
    for start in range(0, len(rows), size):
        stop.check()
        part = batch(rows[start : start + size], base.fill).to(base.model.device)
        total += loss_sum(base.model, part).item()
        tokens += int((part.labels_BT >= 0).sum())
    if not math.isfinite(total):
        raise Failed(
            "nan_loss",
            _("The model's loss is not a number; choose another base model or a lower rate."),
        )
    return total / max(1, tokens)

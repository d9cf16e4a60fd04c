"""Lets a model that learns write a few answers, cut off early, beside what was expected."""

from __future__ import annotations

from collections.abc import Sequence

from fabriek_recipes.training.base import Base
from fabriek_recipes.training.encoding import Encoded
from fabriek_recipes.training.prediction import answers
from fabriek_recipes.training.process import Job, K

ANSWERED = 3
ANSWER_TOKENS = 64


def show(
    job: Job[K],
    base: Base,
    rows: Sequence[Encoded],
    *,
    step: int,
    tokens_max: int = ANSWER_TOKENS,
) -> None:
    """Tell the answers to the first few of `rows` at `step`; this process writes alone."""
    asked = rows[:ANSWERED]
    found = answers(
        base.model,
        [each.prompt_ids for each in asked],
        stops=base.stops,
        tokens_max=min(ANSWER_TOKENS, tokens_max),
        check=lambda: None,
    )
    for each, answer in zip(asked, found, strict=True):
        expected = written(base, each.answer_ids)
        job.events.sample(each.row.prompt, expected, written(base, answer), step)


def written(base: Base, ids: Sequence[int]) -> str:
    """Write an answer as text, without the signs that end it and space around it."""
    return str(base.tokenizer.decode(ids, skip_special_tokens=True)).strip()

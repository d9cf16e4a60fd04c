"""What is looked at while fine-tuning: the loss on some rows kept apart, and a few answers."""

from __future__ import annotations

from collections.abc import Sequence

from fabriek_recipes.finetune_lm.knobs import Knobs
from fabriek_recipes.finetune_lm.scoring import written
from fabriek_recipes.training import adapting
from fabriek_recipes.training.base import Base
from fabriek_recipes.training.encoding import Encoded
from fabriek_recipes.training.prediction import answers
from fabriek_recipes.training.process import Job
from fabriek_recipes.training.watching import Watch, some

ANSWERED = 3
ANSWER_TOKENS = 64


def watch(
    job: Job[Knobs],
    base: Base,
    train: Sequence[Encoded],
    held_out: Sequence[Encoded],
    *,
    width: int,
) -> Watch:
    """Choose the rows to look at, and the first few questions."""
    tokens = sum(len(each.example.ids) for each in train) * job.knobs.epochs
    total = sum(weight.numel() for weight in base.model.parameters())
    return Watch(
        base=base,
        rows=some([each.example for each in held_out], width=width, tokens=tokens),
        flop_per_token=adapting.flop_per_token(job.knobs.method, total),
        patience=job.knobs.stop_after_looks,
        show=(lambda step: _show(job, base, held_out[:ANSWERED], step)) if held_out else None,
    )


def _show(job: Job[Knobs], base: Base, rows: Sequence[Encoded], step: int) -> None:
    found = answers(
        base.model,
        [each.prompt_ids for each in rows],
        stops=base.stops,
        tokens_max=min(ANSWER_TOKENS, job.knobs.answer_tokens_max),
        check=lambda: None,
    )
    for each, answer in zip(rows, found, strict=True):
        expected = written(base, each.answer_ids)
        job.events.sample(each.row.prompt, expected, written(base, answer), step)

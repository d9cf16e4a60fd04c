"""What a run on plain text tells of itself: what the model writes, and its figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from fabriek_recipes.events import Json
from fabriek_recipes.pretrain_lm.corpus import Corpus
from fabriek_recipes.pretrain_lm.knobs import Knobs
from fabriek_recipes.pretrain_lm.scoring import Text
from fabriek_recipes.training.base import Base
from fabriek_recipes.training.group import ALONE
from fabriek_recipes.training.loop import Loop
from fabriek_recipes.training.prediction import answers
from fabriek_recipes.training.process import Job

SAMPLES = 3
SAMPLE_PROMPT_TOKENS, SAMPLE_ANSWER_TOKENS = 12, 24


def show(
    job: Job[Knobs], base: Base, held_out: Sequence[Text], when: Literal["after"] | int
) -> None:
    """Let the model go on from the beginnings of a few texts it has not seen."""
    firsts = [text.windows[0].ids for text in held_out]
    chosen = [ids for ids in firsts if len(ids) > 2 * SAMPLE_PROMPT_TOKENS][:SAMPLES]
    if not chosen:
        return
    prompts = [ids[:SAMPLE_PROMPT_TOKENS].tolist() for ids in chosen]
    found = answers(
        base.model,
        prompts,
        stops=base.stops,
        tokens_max=SAMPLE_ANSWER_TOKENS,
        check=job.stop.check if when == "after" else lambda: None,
        group=job.group if when == "after" else ALONE,  # the others do not write meanwhile
    )
    for ids, prompt, answer in zip(chosen, prompts, found, strict=True):
        rest = ids[SAMPLE_PROMPT_TOKENS:][:SAMPLE_ANSWER_TOKENS].tolist()
        texts = [
            base.tokenizer.decode(each, skip_special_tokens=True)
            for each in (prompt, rest, answer)
        ]
        job.events.sample(texts[0], texts[1], texts[2], when)


def facts_of(loop: Loop[Knobs], own: Corpus, general: Corpus | None) -> dict[str, Json]:
    """Count what was there and what of it was learned from."""
    share = loop.step / max(1, loop.plan.steps)
    found: dict[str, Json] = {
        "rows_trained": own.made.texts,
        "texts_left_out": own.made.left_out,
        "tokens_in_text": own.made.tokens,
        "tokens_seen": loop.tokens,
        "passes": round(loop.plan.epochs * share, 2),
        "learning_seconds": round(loop.seconds, 2),
    }
    if general:
        found |= {
            "general_texts": general.made.texts,
            "general_tokens_in_text": general.made.tokens,
        }
    return found

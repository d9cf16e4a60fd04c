"""What can be set when fine-tuning, what it costs, and whether the inputs will do."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from fabriek_recipes import memory, teaching
from fabriek_recipes.cost import (
    ANSWERS_AT_ONCE,
    READ_AT_ONCE,
    Work,
    price,
    read_in_looks,
)
from fabriek_recipes.kinds import Estimate, Facts, Input, Recipe
from fabriek_recipes.knobs import (
    WIDTH_MIN,
    AnswerTokensMax,
    CheckpointEverySteps,
    Epochs,
    GradientNormMax,
    HeldOutPercent,
    LearningRate,
    LoraAlpha,
    LoraDropout,
    LoraRank,
    RowsScoredMax,
    StopAfterLooks,
    TokensPerRowMax,
    TokensPerStep,
    TrainedPart,
    WarmupPercent,
    WeightDecay,
    WeightsHeld,
)
from fabriek_recipes.lengths import counted, told
from fabriek_recipes.memory import Need
from fabriek_recipes.rows import check
from fabriek_recipes.teaching import BASE_MODEL
from fabriek_recipes.training.held_out import ROWS_TO_SPLIT
from fabriek_recipes.words import Sentence, _

# Bytes of a line per token: Dutch with the JSON around it, whose signs are not learned; the
# share of a row that is answer; and tokens of the template around both (own rows).
BYTES_PER_TOKEN = 4.0
ANSWER_SHARE = 0.25
TEMPLATE_TOKENS = 4

Answers = Literal["all", "last"]
ANSWERS: dict[str, str] = {
    "all": _("Every answer of a conversation"),
    "last": _("The last answer only"),
}


class Knobs(BaseModel):
    """Settings of a fine-tuning run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: TrainedPart = "lora"
    epochs: Epochs = Field(default=3, le=100)
    learning_rate: LearningRate = Field(
        default=2e-4,
        ge=1e-6,
        description=_(
            "How far each step moves. On a large model about 0.0002 for a small addition and "
            "0.00002 for every weight; ten times more for a model of a few million weights."
        ),
    )
    answers_learned: Answers = Field(
        default="all",
        title=_("Answers learned from"),
        description=_(
            "The model learns what the assistant says, never what it is asked. Choose the last "
            "answer only when earlier ones are not good examples."
        ),
        json_schema_extra={"group": "advanced", "labels": {**ANSWERS}},
    )
    tokens_per_row_max: TokensPerRowMax = 1024
    held_out_percent: HeldOutPercent = Field(default=10, ge=0)
    # Writing answers is slow; more than 5,000 tells nothing new.
    held_out_rows_max: RowsScoredMax = Field(
        default=200,
        le=5_000,
        description=_("Scoring writes an answer to each of these rows, before and after."),
    )
    answer_tokens_max: AnswerTokensMax = 256
    tokens_per_step: TokensPerStep = 4_096
    lora_rank: LoraRank = 16
    lora_alpha: LoraAlpha = 32
    lora_dropout: LoraDropout = 0.0
    stop_after_looks: StopAfterLooks = 0
    weights_held: WeightsHeld = "auto"
    warmup_percent: WarmupPercent = 5
    weight_decay: WeightDecay = 0.01
    gradient_norm_max: GradientNormMax = 1.0
    checkpoint_every_steps: CheckpointEverySteps = 200


def estimate(knobs: Knobs, facts: Facts) -> Estimate:
    """Price a run: 4N (LoRA) or 6N (full) operations per token, and scoring twice."""
    known = counted(facts, knobs.tokens_per_row_max)
    row_tokens = known.row_tokens if known else _guessed(knobs, facts)
    rows = facts.rows * (known.share if known else 1)
    apart = _apart(knobs, rows)
    answer = min(knobs.answer_tokens_max, row_tokens * ANSWER_SHARE + 8)
    parameters = facts.base_parameters
    learned = (rows - apart) * row_tokens * knobs.epochs
    # A part of a run reads the rows kept apart once, and writes no answers. Who has not learned
    # yet where an answer ends writes on to the limit.
    read = apart * row_tokens * (1 if facts.is_part else 2)
    read += read_in_looks(apart, row_tokens, learned=learned)
    written = 0 if facts.is_part else apart * (knobs.answer_tokens_max + answer)
    holding = memory.held_by(knobs.weights_held, need(knobs, facts), facts)
    work = Work(
        tokens=ceil(learned),
        flop_per_token=(4 if knobs.method == "lora" else 6) * parameters,
        has_lora=knobs.method == "lora",
        read_tokens=ceil(read),
        written_tokens=ceil(written),
        answers=apart,
        parameters=parameters,
        memory_bytes=holding.memory_bytes,
        rows_per_step=max(1, knobs.tokens_per_step // _width(knobs, facts)),
    )
    found = price(work, facts)
    return replace(found, why=(told(known), *found.why, *holding.why))


def _guessed(knobs: Knobs, facts: Facts) -> float:
    """Guess how many tokens a row has from the size of the files."""
    tokens = facts.text_bytes / BYTES_PER_TOKEN / max(1, facts.rows) + TEMPLATE_TOKENS
    return min(tokens, knobs.tokens_per_row_max)


def _width(knobs: Knobs, facts: Facts) -> int:
    """Guess how wide rows are packed: as the longest that is not left out, or the least."""
    return max(WIDTH_MIN, _longest(knobs, facts))


def _longest(knobs: Knobs, facts: Facts) -> int:
    if known := counted(facts, knobs.tokens_per_row_max):
        return known.longest
    return min(ceil(facts.longest_row_bytes / BYTES_PER_TOKEN), knobs.tokens_per_row_max)


def _apart(knobs: Knobs, rows: float) -> int:
    if rows < ROWS_TO_SPLIT:
        return 0
    return min(knobs.held_out_rows_max, ceil(rows * knobs.held_out_percent / 100))


def need(knobs: Knobs, facts: Facts) -> Need:
    """Count what one of the GPUs takes, to learn or to score."""
    longest = max(1, _longest(knobs, facts))
    at_once = max(ANSWERS_AT_ONCE, READ_AT_ONCE // longest)
    scored = min(_apart(knobs, facts.rows), at_once) * longest
    return teaching.need(knobs, facts, width=_width(knobs, facts), scored=scored)


def checks(inputs: dict[str, Path]) -> tuple[Sentence, ...]:
    """Say what is wrong with the rows or the base model before anything is queued."""
    return teaching.problems(inputs, check)


RECIPE = Recipe(
    name="finetune_lm",
    title=_("Teach a language model your task"),
    summary=_(
        "Fine-tunes a language model on your questions and answers, and scores it on rows it "
        "has never seen, before and after."
    ),
    when_to_use=_(
        "You have some hundreds or more examples of a question and the answer you want, and a "
        "base model that does not do it well enough yet."
    ),
    knobs=Knobs,
    inputs=(
        Input(
            name="dataset",
            kind="dataset",
            title=_("Examples"),
            help=_(
                "A table of Excel (.csv) with a column “prompt” or “vraag” and a column "
                "“completion” or “antwoord”, a .json list, or .jsonl files: each line holds "
                "prompt and completion, or messages, where calls of tools may stand with the "
                "list of tools."
            ),
        ),
        BASE_MODEL,
    ),
    estimate=estimate,
    checks=checks,
    makes=_("fine-tuned language model"),
    reads_chats=True,
    has_dry_run=True,
)

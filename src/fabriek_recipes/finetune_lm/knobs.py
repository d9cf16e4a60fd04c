"""What can be set when fine-tuning, what it costs, and whether the inputs will do."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from fabriek_recipes import memory
from fabriek_recipes.cost import Work, price
from fabriek_recipes.facts import model_problems
from fabriek_recipes.kinds import Estimate, Facts, Input, Recipe
from fabriek_recipes.knobs import (
    WIDTH_MIN,
    CheckpointEverySteps,
    GradientNormMax,
    LoraAlpha,
    LoraDropout,
    LoraRank,
    StopAfterLooks,
    TokensPerStep,
    WarmupPercent,
    WeightDecay,
    WeightsHeld,
)
from fabriek_recipes.leaks import leaks
from fabriek_recipes.lengths import counted, told
from fabriek_recipes.memory import Need
from fabriek_recipes.rows import PROBLEMS_MAX, check, files_of
from fabriek_recipes.words import Sentence, _

# Bytes of a line per token: Dutch with the JSON around it, whose signs are not learned; the
# share of a row that is answer; and tokens of the template around both (own rows).
BYTES_PER_TOKEN = 4.0
ANSWER_SHARE = 0.25
TEMPLATE_TOKENS = 4

Method = Literal["lora", "full"]
METHODS: dict[str, str] = {
    "lora": _("A small addition (LoRA)"),
    "full": _("Every weight"),
}
Answers = Literal["all", "last"]
ANSWERS: dict[str, str] = {
    "all": _("Every answer of a conversation"),
    "last": _("The last answer only"),
}


class Knobs(BaseModel):
    """Settings of a fine-tuning run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Method = Field(
        default="lora",
        title=_("Method"),
        description=_(
            "What is trained. A small addition leaves the base model as it is: cheap, and it "
            "forgets little. Every weight is best for small models."
        ),
        json_schema_extra={"group": "basic", "labels": {**METHODS}},
    )
    # Above 100 passes a model only learns its rows by heart.
    epochs: int = Field(
        default=3,
        ge=1,
        le=100,
        title=_("Passes over the data"),
        description=_("How often each row is learned from. More for few rows, fewer for many."),
        json_schema_extra={"group": "basic", "unit": "passes"},
    )
    # Below 1e-6 nothing moves; above 0.05 even the smallest model breaks down.
    learning_rate: float = Field(
        default=2e-4,
        ge=1e-6,
        le=0.05,
        title=_("Learning rate"),
        description=_(
            "How far each step moves. On a large model about 0.0002 for a small addition and "
            "0.00002 for every weight; ten times more for a model of a few million weights."
        ),
        json_schema_extra={"group": "basic"},
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
    # At least the longest template; at most what one GPU holds in one row.
    tokens_per_row_max: int = Field(
        default=1024,
        ge=32,
        le=32_768,
        title=_("Longest row"),
        description=_("Rows with more tokens are left out, and counted."),
        json_schema_extra={"group": "basic", "unit": "tokens"},
    )
    # Half of the rows is the most that may be kept from learning.
    held_out_percent: int = Field(
        default=10,
        ge=0,
        le=50,
        title=_("Kept apart for scoring"),
        description=_(
            "Rows the model never learns from, to score it honestly. Not used when the dataset "
            "has a file of its own for this, with “heldout” or “test” in its name."
        ),
        json_schema_extra={"group": "basic", "unit": "%"},
    )
    # Writing answers is slow; more than 5,000 tells nothing new.
    held_out_rows_max: int = Field(
        default=200,
        ge=1,
        le=5_000,
        title=_("Most rows scored"),
        description=_("Scoring writes an answer to each of these rows, before and after."),
        json_schema_extra={"group": "advanced", "unit": "rows"},
    )
    # One answer is at most as long as one row.
    answer_tokens_max: int = Field(
        default=256,
        ge=1,
        le=4_096,
        title=_("Longest answer"),
        description=_("Where the model is stopped when it is scored and does not stop itself."),
        json_schema_extra={"group": "advanced", "unit": "tokens"},
    )
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
    apart = min(knobs.held_out_rows_max, ceil(rows * knobs.held_out_percent / 100))
    answer = min(knobs.answer_tokens_max, row_tokens * ANSWER_SHARE + 8)
    parameters = facts.base_parameters
    # A part of a run reads the rows kept apart once, and writes no answers.
    scored = apart * row_tokens if facts.is_part else 2 * apart * (row_tokens + answer)
    holding = memory.held_by(knobs.weights_held, need(knobs, facts), facts)
    work = Work(
        tokens=ceil((rows - apart) * row_tokens * knobs.epochs),
        flop_per_token=(4 if knobs.method == "lora" else 6) * parameters,
        scored_tokens=ceil(scored),
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
    if known := counted(facts, knobs.tokens_per_row_max):
        return max(WIDTH_MIN, known.longest)
    longest = ceil(facts.longest_row_bytes / BYTES_PER_TOKEN)
    return max(WIDTH_MIN, min(longest, knobs.tokens_per_row_max))


def need(knobs: Knobs, facts: Facts) -> Need:
    """Count what one of the GPUs takes."""
    width = _width(knobs, facts)
    tokens = memory.tokens_of_one(knobs.tokens_per_step, width=width, gpus=facts.gpus)
    rank = knobs.lora_rank if knobs.method == "lora" else 0
    return memory.need_of_base(facts, lora_rank=rank, tokens=tokens)


def checks(inputs: dict[str, Path]) -> tuple[Sentence, ...]:
    """Say what is wrong with the rows or the base model before anything is queued."""
    problems: list[Sentence] = []
    if dataset := inputs.get("dataset"):
        contents = files_of(dataset)
        if not contents.train:
            problems.append(
                Sentence(_("The dataset has no .jsonl file; add one with your rows."))
            )
        for path in contents.train + contents.held_out:
            problems += [problem.sentence for problem in check(path)]
        problems += leaks(contents)
    if model := inputs.get("model"):
        problems += model_problems(model)
    return tuple(problems[:PROBLEMS_MAX])


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
                "One or more .jsonl files; each line holds prompt and completion, or messages, "
                "where calls of tools may stand with the list of tools."
            ),
        ),
        Input(
            name="model",
            kind="model",
            title=_("Base model"),
            help=_("The model to start from, in Hugging Face format with safetensors."),
        ),
    ),
    estimate=estimate,
    checks=checks,
    makes=_("fine-tuned language model"),
    reads_chats=True,
    has_dry_run=True,
)

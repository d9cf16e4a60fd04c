"""What can be set when learning from preferences, what it costs, and what the inputs need."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from fabriek_recipes import memory, teaching
from fabriek_recipes.cost import Work, price, read_in_looks
from fabriek_recipes.finetune_lm.knobs import BYTES_PER_TOKEN
from fabriek_recipes.kinds import Estimate, Facts, Input, Recipe
from fabriek_recipes.knobs import (
    WIDTH_MIN,
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
from fabriek_recipes.lengths import Lengths, counted, told
from fabriek_recipes.memory import Need
from fabriek_recipes.pairs import check_pairs
from fabriek_recipes.teaching import BASE_MODEL
from fabriek_recipes.words import Sentence, _

# A row tells its question once, and the model reads it before each of the two answers.
READ_TIMES = 1.3


class Knobs(BaseModel):
    """Settings of a run that learns from preferences."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: TrainedPart = "lora"
    # More than 20 passes over preferences makes a model talk nonsense that is preferred.
    epochs: Epochs = Field(
        default=1,
        le=20,
        description=_("How often each pair is learned from. One or two are mostly enough."),
    )
    # Common values lie between 1e-7 and 1e-5 for large models; small ones bear far more.
    learning_rate: LearningRate = Field(
        default=1e-5,
        ge=1e-8,
        description=_(
            "How far each step moves. About ten times lower than for teaching a task: 0.00001 "
            "for a small addition and 0.000001 for every weight of a large model."
        ),
    )
    # Rafailov et al. (arXiv 2305.18290) use 0.1 to 0.5.
    beta: float = Field(
        default=0.1,
        ge=0.001,
        le=10.0,
        title=_("Staying near the base model"),
        description=_(
            "How strongly the model is held to what it was (beta). Lower lets it go further "
            "towards what is preferred; higher keeps it as it was."
        ),
        json_schema_extra={"group": "basic"},
    )
    # At half, a preference says nothing any more.
    doubt_percent: int = Field(
        default=0,
        ge=0,
        le=49,
        title=_("Doubt"),
        description=_("The part of the pairs of which the two answers may have been swapped."),
        json_schema_extra={"group": "advanced", "unit": "%"},
    )
    tokens_per_row_max: TokensPerRowMax = Field(
        default=1024,
        description=_("Pairs in which a question with its answer has more are left out."),
    )
    held_out_percent: HeldOutPercent = Field(default=10, ge=0)
    # The interval of 2,000 pairs is two points wide on each side.
    held_out_rows_max: RowsScoredMax = Field(
        default=500,
        le=20_000,
        description=_("Scoring reads both answers of each of these pairs, before and after."),
    )
    tokens_per_step: TokensPerStep = 8_192
    lora_rank: LoraRank = 16
    lora_alpha: LoraAlpha = 32
    lora_dropout: LoraDropout = 0.0
    stop_after_looks: StopAfterLooks = 0
    weights_held: WeightsHeld = "auto"
    warmup_percent: WarmupPercent = 10
    weight_decay: WeightDecay = 0.0
    gradient_norm_max: GradientNormMax = 1.0
    checkpoint_every_steps: CheckpointEverySteps = 200


def estimate(knobs: Knobs, facts: Facts) -> Estimate:
    """Price a run: as fine-tuning, and the base model reads every pair once more."""
    known = counted(facts, knobs.tokens_per_row_max)
    pair_tokens = _pair_tokens(knobs, facts, known)
    rows = facts.rows * (known.share if known else 1)
    apart = min(knobs.held_out_rows_max, ceil(rows * knobs.held_out_percent / 100))
    learned = (rows - apart) * pair_tokens * knobs.epochs
    # All before, those apart after it too, and in the looks meanwhile.
    read = (rows + apart) * pair_tokens + read_in_looks(apart, pair_tokens, learned=learned)
    holding = memory.held_by(knobs.weights_held, need(knobs, facts), facts)
    work = Work(
        tokens=ceil(learned),
        flop_per_token=(4 if knobs.method == "lora" else 6) * facts.base_parameters,
        has_lora=knobs.method == "lora",
        read_tokens=ceil(read),
        parameters=facts.base_parameters,
        memory_bytes=holding.memory_bytes,
        rows_per_step=max(1, knobs.tokens_per_step // _width(knobs, facts, known)),
    )
    found = price(work, facts)
    return replace(found, why=(told(known), *found.why, *holding.why))


def _pair_tokens(knobs: Knobs, facts: Facts, known: Lengths | None) -> float:
    """Say how many tokens a pair has, question and answer twice."""
    if known and facts.tokens:
        every = sum(size * rows for size, rows in facts.token_lengths)
        rows = sum(rows for _size, rows in facts.token_lengths)
        return facts.tokens * (known.tokens / every) / (rows * known.share)
    guessed = facts.text_bytes / BYTES_PER_TOKEN / max(1, facts.rows) * READ_TIMES
    return min(guessed, 2 * knobs.tokens_per_row_max)


def _width(knobs: Knobs, facts: Facts, known: Lengths | None) -> int:
    """Guess how wide pairs are packed: as the longest that is not left out."""
    if known:
        return max(WIDTH_MIN, 2 * known.longest)
    longest = ceil(facts.longest_row_bytes / BYTES_PER_TOKEN * READ_TIMES)
    return max(WIDTH_MIN, min(longest, 2 * knobs.tokens_per_row_max))


def need(knobs: Knobs, facts: Facts) -> Need:
    """Count as fine-tuning does: what the base model said is kept, not the base model."""
    width = _width(knobs, facts, counted(facts, knobs.tokens_per_row_max))
    return teaching.need(knobs, facts, width=width)


def checks(inputs: dict[str, Path]) -> tuple[Sentence, ...]:
    """Say what is wrong with the pairs or the base model before anything is queued."""
    return teaching.problems(inputs, check_pairs, of_pairs=True)


RECIPE = Recipe(
    name="prefer_lm",
    title=_("Teach a language model what people prefer"),
    summary=_(
        "Moves a language model towards the better of two answers (DPO), and tells on pairs "
        "it has never seen how often it prefers the better one, before and after."
    ),
    when_to_use=_(
        "A model already does your task, and people have chosen between its answers: tone, "
        "care, length, or what must not be said. Teach it the task first."
    ),
    knobs=Knobs,
    inputs=(
        Input(
            name="dataset",
            kind="dataset",
            title=_("Preferences"),
            help=_(
                "A table of Excel (.csv) with the columns “prompt”, “chosen” and “rejected” "
                "(or “vraag”, “beter” and “slechter”), a .json list, or .jsonl files: each "
                "line holds these, as texts or as messages."
            ),
        ),
        BASE_MODEL,
    ),
    estimate=estimate,
    checks=checks,
    makes=_("language model taught by preferences"),
    reads_chats=True,
    reads_pairs=True,
    has_dry_run=True,
)

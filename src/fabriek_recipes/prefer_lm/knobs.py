"""What can be set when learning from preferences, what it costs, and what the inputs need."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from fabriek_recipes import memory
from fabriek_recipes.cost import Work, price
from fabriek_recipes.facts import model_problems
from fabriek_recipes.finetune_lm.knobs import BYTES_PER_TOKEN, METHODS, Method
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
from fabriek_recipes.lengths import Lengths, counted, told
from fabriek_recipes.memory import Need
from fabriek_recipes.pairs import check_pairs
from fabriek_recipes.rows import PROBLEMS_MAX, files_of
from fabriek_recipes.words import Sentence, _

# A row tells its question once, and the model reads it before each of the two answers.
READ_TIMES = 1.3


class Knobs(BaseModel):
    """Settings of a run that learns from preferences."""

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
    # More than 20 passes over preferences makes a model talk nonsense that is preferred.
    epochs: int = Field(
        default=1,
        ge=1,
        le=20,
        title=_("Passes over the data"),
        description=_("How often each pair is learned from. One or two are mostly enough."),
        json_schema_extra={"group": "basic", "unit": "passes"},
    )
    # Common values lie between 1e-7 and 1e-5 for large models; small ones bear far more.
    learning_rate: float = Field(
        default=1e-5,
        ge=1e-8,
        le=0.05,
        title=_("Learning rate"),
        description=_(
            "How far each step moves. About ten times lower than for teaching a task: 0.00001 "
            "for a small addition and 0.000001 for every weight of a large model."
        ),
        json_schema_extra={"group": "basic"},
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
    tokens_per_row_max: int = Field(
        default=1024,
        ge=32,
        le=32_768,
        title=_("Longest row"),
        description=_("Pairs in which a question with its answer has more are left out."),
        json_schema_extra={"group": "basic", "unit": "tokens"},
    )
    held_out_percent: int = Field(
        default=10,
        ge=0,
        le=50,
        title=_("Kept apart for scoring"),
        description=_(
            "Pairs the model never learns from, to score it honestly. Not used when the "
            "dataset has a file of its own for this, with “heldout” or “test” in its name."
        ),
        json_schema_extra={"group": "basic", "unit": "%"},
    )
    # The interval of 2,000 pairs is two points wide on each side.
    held_out_rows_max: int = Field(
        default=500,
        ge=1,
        le=20_000,
        title=_("Most rows scored"),
        description=_("Scoring reads both answers of each of these pairs, before and after."),
        json_schema_extra={"group": "advanced", "unit": "rows"},
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
    holding = memory.held_by(knobs.weights_held, need(knobs, facts), facts)
    work = Work(
        tokens=ceil((rows - apart) * pair_tokens * knobs.epochs),
        flop_per_token=(4 if knobs.method == "lora" else 6) * facts.base_parameters,
        # Reading is half of what writing is reckoned at: all before, those apart after it too.
        scored_tokens=ceil((rows + apart) * pair_tokens / 2),
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
    tokens = memory.tokens_of_one(knobs.tokens_per_step, width=width, gpus=facts.gpus)
    rank = knobs.lora_rank if knobs.method == "lora" else 0
    return memory.need_of_base(facts, lora_rank=rank, tokens=tokens)


def checks(inputs: dict[str, Path]) -> tuple[Sentence, ...]:
    """Say what is wrong with the pairs or the base model before anything is queued."""
    problems: list[Sentence] = []
    if dataset := inputs.get("dataset"):
        contents = files_of(dataset)
        if not contents.train:
            problems.append(
                Sentence(_("The dataset has no .jsonl file; add one with your rows."))
            )
        for path in contents.train + contents.held_out:
            problems += [problem.sentence for problem in check_pairs(path)]
        problems += leaks(contents, of_pairs=True)
    if model := inputs.get("model"):
        problems += model_problems(model)
    return tuple(problems[:PROBLEMS_MAX])


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
                "One or more .jsonl files; each line holds prompt, chosen and rejected, as "
                "texts or as messages."
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
    makes=_("language model taught by preferences"),
    reads_chats=True,
    reads_pairs=True,
    has_dry_run=True,
)

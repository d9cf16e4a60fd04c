"""What can be set when teaching labels of texts, what it costs, whether the rows will do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from fabriek_recipes import memory, tables
from fabriek_recipes.classify_text import rows
from fabriek_recipes.cost import BYTES_PER_TOKEN, Work, price
from fabriek_recipes.facts import model_problems, parameters_of
from fabriek_recipes.kinds import Estimate, Facts, Input, Recipe
from fabriek_recipes.knobs import (
    CheckpointEverySteps,
    Epochs,
    GradientNormMax,
    HeldOutPercent,
    LearningRate,
    LoraRank,
    StopAfterLooks,
    WarmupPercent,
    WeightDecay,
)
from fabriek_recipes.words import Sentence, _

# As `training/labels.py` scores; and what a process takes before it has a model, with the
# simple count of words beside it.
SCORED_AT_ONCE = 32
START_CPU = 500_000_000

Method = Literal["full", "lora"]
METHODS: dict[str, str] = {
    "full": _("Every weight"),
    "lora": _("A small addition (LoRA)"),
}
ColumnName = Annotated[tables.ColumnName, Field(min_length=1)]


class Knobs(BaseModel):
    """Settings of teaching labels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text_column: ColumnName = Field(
        default="text",
        title=_("Column of the text"),
        description=_("Its name in the first line of the table, or in each JSON object."),
        json_schema_extra={"group": "basic"},
    )
    label_column: ColumnName = Field(
        default="label",
        title=_("Column of the label"),
        description=_("What the model is to say: a few words that come back in many rows."),
        json_schema_extra={"group": "basic"},
    )
    method: Method = Field(
        default="full",
        title=_("Method"),
        description=_(
            "What is trained. Every weight is best for models that read (some hundred million "
            "weights); a small addition makes models that write affordable."
        ),
        json_schema_extra={"group": "basic", "labels": {**METHODS}},
    )
    epochs: Epochs = Field(default=4, le=100)
    learning_rate: LearningRate = Field(
        default=5e-5,
        ge=1e-6,
        description=_(
            "How far each step moves: about 0.00005 for every weight and 0.0002 for a small "
            "addition; ten times more for a model of a few million weights."
        ),
    )
    # Without any there is no score.
    held_out_percent: HeldOutPercent = Field(default=20, ge=5)
    # At least a short sentence; at most what models that read were made for.
    tokens_per_text_max: int = Field(
        default=256,
        ge=16,
        le=8_192,
        title=_("Longest text"),
        description=_("What comes after is not read; how many texts that are is told."),
        json_schema_extra={"group": "advanced", "unit": "tokens"},
    )
    rows_per_step: int = Field(
        default=16,
        ge=1,
        le=4_096,
        title=_("Rows per step"),
        description=_("How many texts each step learns from. Lower it when memory runs out."),
        json_schema_extra={"group": "advanced", "unit": "rows"},
    )
    lora_rank: LoraRank = 16
    stop_after_looks: StopAfterLooks = 0
    warmup_percent: WarmupPercent = 10
    weight_decay: WeightDecay = 0.01
    gradient_norm_max: GradientNormMax = 1.0
    checkpoint_every_steps: CheckpointEverySteps = 200


def estimate(knobs: Knobs, facts: Facts) -> Estimate:
    """Price a run: 6N (every weight) or 4N operations per token, and 2N to score."""
    tokens = facts.text_bytes / BYTES_PER_TOKEN / max(1, facts.rows)
    tokens = min(tokens + 2, knobs.tokens_per_text_max)
    apart = ceil(facts.rows * knobs.held_out_percent / 100)
    parameters = facts.base_parameters
    work = Work(
        tokens=ceil((facts.rows - apart) * tokens * knobs.epochs),
        flop_per_token=(4 if knobs.method == "lora" else 6) * parameters,
        has_lora=knobs.method == "lora",
        read_tokens=ceil(apart * tokens),
        parameters=parameters,
        memory_bytes=_memory_bytes(knobs, facts, tokens),
        rows_per_step=knobs.rows_per_step,
    )
    return price(work, facts)


def _memory_bytes(knobs: Knobs, facts: Facts, tokens: float) -> int:
    """Weights in fp32, and for what is trained gradient and two moments."""
    parameters = facts.base_parameters
    share = 1.0 if knobs.method == "full" else min(1.0, knobs.lora_rank / 400)
    apart = ceil(facts.rows * knobs.held_out_percent / 100)
    scored = min(apart, SCORED_AT_ONCE) * tokens
    start = START_CPU if facts.device == "cpu" else memory.START_GPU
    kept = memory.at_work(facts, tokens=knobs.rows_per_step * tokens, scored=scored)
    return int(start + parameters * (4 + 12 * share) + kept)


def count(inputs: Mapping[str, Path], base: Facts) -> Facts:
    """Count the rows, their bytes, and the weights of the base model."""
    found = base
    if dataset := inputs.get("dataset"):
        found = tables.counted(dataset, found)
    if model := inputs.get("model"):
        found = replace(found, base_parameters=parameters_of(model))
    return found


def checks(inputs: dict[str, Path]) -> tuple[Sentence, ...]:
    """Say what is wrong with the table or the base model before anything is queued."""
    problems: tuple[Sentence, ...] = ()
    if dataset := inputs.get("dataset"):
        problems += tables.check(dataset)
    if model := inputs.get("model"):
        problems += model_problems(model)
    return problems


def knob_checks(knobs: Knobs, inputs: dict[str, Path]) -> tuple[Sentence, ...]:
    """Say which rows have no text or no label, by their line."""
    dataset = inputs.get("dataset")
    if dataset is None:
        return ()
    return rows.check(dataset, text=knobs.text_column, label=knobs.label_column)


RECIPE = Recipe(
    name="classify_text",
    title=_("Give texts a label"),
    summary=_(
        "Teaches a language model to give each text one of your labels, and scores it on texts "
        "it has never seen, beside a simple count of words."
    ),
    when_to_use=_(
        "You have some hundreds or more texts that people gave a label (a subject, an urgency, "
        "a mood), and want new ones sorted the same way."
    ),
    knobs=Knobs,
    inputs=(
        Input(
            name="dataset",
            kind="dataset",
            title=_("Texts and labels"),
            help=_("One or more .csv, .parquet or .jsonl files with a text and a label."),
        ),
        Input(
            name="model",
            kind="model",
            title=_("Base model"),
            help=_("The model to start from, best one that reads, such as BERT or RoBERTa."),
        ),
    ),
    estimate=estimate,
    checks=checks,
    makes=_("model that labels texts"),
    pipeline_tag="text-classification",
    load='AutoModelForSequenceClassification.from_pretrained("%s")',
    count=count,
    knob_checks=knob_checks,
    has_dry_run=True,
)

"""What can be set when training from nothing, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from fabriek_recipes.cost import BYTES_PER_TOKEN, Work, price
from fabriek_recipes.kinds import Estimate, Facts, Input, Recipe
from fabriek_recipes.knobs import (
    CheckpointEverySteps,
    GradientNormMax,
    StopAfterLooks,
    TokensPerStep,
    WarmupPercent,
    WeightDecay,
)
from fabriek_recipes.rows import PROBLEMS_MAX, check, files_of
from fabriek_recipes.words import Sentence, _

Size = Literal["tiny", "mini", "small", "base"]
# Counted with the vocabulary that is proposed.
SIZES: dict[str, str] = {
    "tiny": _("Tiny (0.34 million weights)"),
    "mini": _("Very small (1.2 million weights)"),
    "small": _("Small (28 million weights)"),
    "base": _("Medium (88 million weights)"),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """The dimensions of a model: layers, width, heads, and width of the feed-forward part."""

    layers: int
    width: int
    heads: int
    inner: int

    def parameters(self, vocabulary: int) -> int:
        """Count weights; the embedding is also the last layer, so it counts once."""
        return (
            self.layers * (4 * self.width**2 + 3 * self.width * self.inner)
            + vocabulary * self.width
        )


SHAPES: dict[Size, Shape] = {
    "tiny": Shape(2, 64, 2, 128),
    "mini": Shape(3, 128, 4, 384),
    "small": Shape(8, 512, 8, 1408),
    "base": Shape(12, 768, 12, 2048),
}


class Knobs(BaseModel):
    """Settings of a run from nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: Size = Field(
        default="mini",
        title=_("Size"),
        description=_(
            "Tiny is for trying things out; very small takes minutes on a processor; the two "
            "larger ones need a GPU."
        ),
        json_schema_extra={"group": "basic", "labels": {**SIZES}},
    )
    # Above 100 passes a model only learns its text by heart.
    epochs: int = Field(
        default=3,
        ge=1,
        le=100,
        title=_("Passes over the text"),
        description=_("How often the text is learned from."),
        json_schema_extra={"group": "basic", "unit": "passes"},
    )
    # Bytes and the special signs take 260 pieces; larger than 65,536 outweighs these models.
    vocabulary: int = Field(
        default=4_096,
        ge=300,
        le=65_536,
        title=_("Vocabulary"),
        description=_("How many pieces of words the model knows. Small for little text."),
        json_schema_extra={"group": "basic", "unit": "pieces"},
    )
    # Shorter than 32 is no sentence; longer than 8,192 these models cannot use.
    context_tokens: int = Field(
        default=256,
        ge=32,
        le=8_192,
        title=_("Longest text"),
        description=_("How far back the model can look, now and when it is fine-tuned later."),
        json_schema_extra={"group": "basic", "unit": "tokens"},
    )
    # Below 1e-5 nothing moves; above 0.05 even the smallest model breaks down.
    learning_rate: float = Field(
        default=5e-3,
        ge=1e-5,
        le=0.05,
        title=_("Learning rate"),
        description=_(
            "How far each step moves. Lower for larger models: about 0.0006 for the largest."
        ),
        json_schema_extra={"group": "advanced"},
    )
    tokens_per_step: TokensPerStep = 1_024
    # A fifth of the text is the most that may be kept from learning.
    held_out_percent: int = Field(
        default=2,
        ge=1,
        le=20,
        title=_("Kept apart for scoring"),
        description=_("Text the model never learns from, to score it honestly."),
        json_schema_extra={"group": "advanced", "unit": "%"},
    )
    stop_after_looks: StopAfterLooks = 0
    warmup_percent: WarmupPercent = 5
    weight_decay: WeightDecay = 0.1
    gradient_norm_max: GradientNormMax = 1.0
    checkpoint_every_steps: CheckpointEverySteps = 200


def estimate(knobs: Knobs, facts: Facts) -> Estimate:
    """Price a run: 6N operations per token plus attention, all weights trained."""
    shape = SHAPES[knobs.size]
    parameters = shape.parameters(knobs.vocabulary)
    tokens = facts.text_bytes / BYTES_PER_TOKEN
    attention = 6 * shape.layers * shape.width * knobs.context_tokens
    work = Work(
        tokens=ceil(tokens * knobs.epochs),
        flop_per_token=6 * parameters + attention,
        scored_tokens=0,
        parameters=parameters,
        memory_bytes=_memory_bytes(knobs, facts, parameters),
        rows_per_step=rows_per_step(knobs),
    )
    return price(work, facts)


def rows_per_step(knobs: Knobs) -> int:
    """Count the rows of a step, each as long as the longest text."""
    return max(1, knobs.tokens_per_step // knobs.context_tokens)


def _memory_bytes(knobs: Knobs, facts: Facts, parameters: int) -> int:
    shape = SHAPES[knobs.size]
    activations = knobs.tokens_per_step * (
        shape.layers * shape.width * 70 + knobs.vocabulary * 12
    )
    start = 600_000_000 if facts.device == "cpu" else 2_000_000_000
    return int(start + parameters * 16 + activations + facts.text_bytes * 4)


def checks(inputs: dict[str, Path]) -> tuple[Sentence, ...]:
    """Say what is wrong with the text before anything is queued."""
    problems: list[Sentence] = []
    if dataset := inputs.get("dataset"):
        contents = files_of(dataset, plain=True)
        if not contents.train:
            problems.append(
                Sentence(_("The dataset has no .txt or .jsonl file; add your text."))
            )
        for path in contents.train + contents.held_out:
            problems += [problem.sentence for problem in check(path, plain=True)]
    return tuple(problems[:PROBLEMS_MAX])


RECIPE = Recipe(
    name="pretrain_lm",
    title=_("Train a small language model from nothing"),
    summary=_("Makes a tokenizer and a small language model from your own text alone."),
    when_to_use=_(
        "You want a model whose every origin you know, or to try out the whole way from text "
        "to model. For a useful model start from an open one and teach it your task."
    ),
    knobs=Knobs,
    inputs=(
        Input(
            name="dataset",
            kind="dataset",
            title=_("Text"),
            help=_("One or more .txt files, or .jsonl files with text on each line."),
        ),
    ),
    estimate=estimate,
    checks=checks,
    makes=_("new language model"),
    has_dry_run=True,
)

"""What can be set when pretraining, and whether the inputs will do."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from fabriek_recipes import texts
from fabriek_recipes.facts import model_problems
from fabriek_recipes.kinds import Input, Recipe
from fabriek_recipes.knobs import (
    CheckpointEverySteps,
    Epochs,
    GradientNormMax,
    LearningRate,
    LoraAlpha,
    LoraDropout,
    LoraRank,
    StopAfterLooks,
    TokensPerStep,
    WarmupPercent,
    WeightDecay,
    WeightsHeld,
)
from fabriek_recipes.pretrain_lm import estimating
from fabriek_recipes.pretrain_lm.shapes import METHODS, SHAPES, SIZES, Method, Shape, Size
from fabriek_recipes.rows import PROBLEMS_MAX, RowProblem
from fabriek_recipes.words import Sentence, _

__all__ = ["RECIPE", "SHAPES", "SIZES", "Knobs", "Shape"]

# Somebody waits for the price: so much text is looked through before; the run reads all.
LOOKED_BYTES = 48 * 2**20

Pieces = Literal["own", "base"]
PIECES: dict[str, str] = {
    "own": _("One of its own, learned from the text"),
    "base": _("That of the base model"),
}


class Knobs(BaseModel):
    """Settings of a run on plain text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Method = Field(
        default="new",
        title=_("What is made"),
        description=_(
            "Going on with an open model needs far less text than a new one, and gives a "
            "better model. A small addition forgets least and learns least new."
        ),
        json_schema_extra={"group": "basic", "labels": {**METHODS}},
    )
    size: Size = Field(
        default="mini",
        title=_("Size"),
        description=_(
            "Of a new model. Tiny is for trying things out; very small takes minutes on a "
            "processor; the larger ones need a GPU. About twenty tokens of text for each "
            "weight is usual: less text, smaller model."
        ),
        json_schema_extra={"group": "basic", "labels": {**SIZES}},
    )
    epochs: Epochs = Field(
        default=3,
        le=100,
        title=_("Passes over the text"),
        description=_(
            "How often the text is learned from. One when going on with a base model, up to "
            "four when there is little text; more teaches it by heart."
        ),
    )
    # Bytes and the special signs take 260 pieces; larger than 65,536 outweighs these models.
    vocabulary: int = Field(
        default=4_096,
        ge=300,
        le=65_536,
        title=_("Vocabulary"),
        description=_(
            "How many pieces of words a tokenizer of its own knows. Small for little text; "
            "32,000 is usual from a few hundred megabytes on."
        ),
        json_schema_extra={"group": "basic", "unit": "pieces"},
    )
    tokenizer: Pieces = Field(
        default="own",
        title=_("Tokenizer of a new model"),
        description=_(
            "What cuts text into pieces of words. One of its own needs fewest pieces for your "
            "text. When you go on with a base model, its own is always kept."
        ),
        json_schema_extra={"group": "advanced", "labels": {**PIECES}},
    )
    # Shorter than 32 is no sentence; longer than 8,192 these models cannot use.
    context_tokens: int = Field(
        default=256,
        ge=32,
        le=8_192,
        title=_("Longest text"),
        description=_(
            "How far back the model can look; longer texts are cut in pieces. For a base model "
            "take what it was made with, or 2,048."
        ),
        json_schema_extra={"group": "basic", "unit": "tokens"},
    )
    learning_rate: LearningRate = Field(
        default=0.0,
        ge=0.0,
        description=_(
            "How far each step moves. 0: what is usual for this model, which is told beside "
            "the price. Going on begins gently again and then goes down to nothing; higher "
            "learns faster and forgets more."
        ),
        json_schema_extra={"group": "advanced"},
    )
    # Above 90 there is hardly a step on the text one came for.
    mixed_percent: int = Field(
        default=10,
        ge=0,
        le=90,
        title=_("General text mixed in"),
        description=_(
            "Which part of all that is learned from comes from the general text, against "
            "forgetting: 5 is usual, 25 or more for another language. Not used without it."
        ),
        json_schema_extra={"group": "advanced", "unit": "%"},
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
    # Fewer than ten say nothing; more than 10,000 nothing new.
    held_out_texts_max: int = Field(
        default=1_000,
        ge=10,
        le=10_000,
        title=_("Most texts scored"),
        description=_("So many are kept apart at most, and read before and after."),
        json_schema_extra={"group": "advanced", "unit": "texts"},
    )
    lora_rank: LoraRank = 64
    lora_alpha: LoraAlpha = 128
    lora_dropout: LoraDropout = 0.0
    stop_after_looks: StopAfterLooks = 0
    weights_held: WeightsHeld = "auto"
    warmup_percent: WarmupPercent = 5
    weight_decay: WeightDecay = 0.1
    gradient_norm_max: GradientNormMax = 1.0
    checkpoint_every_steps: CheckpointEverySteps = 200

    @property
    def goes_on(self) -> bool:
        """Whether it starts from the weights of a base model."""
        return self.method != "new"

    @property
    def has_own_pieces(self) -> bool:
        """Whether it makes a tokenizer of its own."""
        return not self.goes_on and self.tokenizer == "own"


def checks(inputs: dict[str, Path]) -> tuple[Sentence, ...]:
    """Say what is wrong with the text or the model before anything is queued.

    Of a large corpus only the beginning is read; what comes later the run names by its line.
    """
    problems: list[Sentence] = []
    for name in ("dataset", "general"):
        if dataset := inputs.get(name):
            problems += _of_dataset(dataset)
    if model := inputs.get("model"):
        problems += model_problems(model)
    return tuple(problems[:PROBLEMS_MAX])


def _of_dataset(dataset: Path) -> list[Sentence]:
    contents = texts.files_of(dataset)
    if not contents.train:
        return [Sentence(texts.NO_TEXT)]
    files = contents.train + contents.held_out
    each = max(2**16, LOOKED_BYTES // len(files))
    found: list[Sentence] = []
    left = LOOKED_BYTES
    for path in files:
        if left <= 0 or len(found) >= PROBLEMS_MAX:
            break
        seen, problems = _of_file(path, each)
        left -= seen
        if problems and len(files) > 1:
            found.append(Sentence(_("In %(file)s:"), file=path.name))
        found += problems
    return found


def _of_file(path: Path, bytes_max: int) -> tuple[int, list[Sentence]]:
    seen = 0
    found: list[Sentence] = []
    for _line, item in texts.numbered(path, bytes_max=bytes_max):
        if isinstance(item, RowProblem):
            found.append(item.sentence)
        else:
            seen += len(item)
        if seen >= bytes_max or len(found) >= PROBLEMS_MAX:
            break
    return seen, found


def input_checks(knobs: Knobs, inputs: Collection[str]) -> tuple[Sentence, ...]:
    """Say what settings and inputs do not agree on."""
    has_model = "model" in inputs
    if knobs.goes_on and not has_model:
        text = _("Choose the base model to go on with, or make a new model.")
        return (Sentence(text),)
    if not knobs.goes_on and knobs.tokenizer == "base" and not has_model:
        text = _("Choose the base model whose tokenizer is taken, or make one of its own.")
        return (Sentence(text),)
    return ()


def starts_from(knobs: dict[str, object]) -> bool:
    """Tell whether a run with these settings starts from the weights of its base model."""
    return knobs.get("method", "new") != "new"


RECIPE = Recipe(
    name="pretrain_lm",
    title=_("Train a language model on plain text"),
    summary=_(
        "Makes a language model from your own text alone, or goes on with an open model on "
        "your text, and tells how well it reads text it never saw."
    ),
    when_to_use=_(
        "Go on with an open model when it does not know the language of your field: from some "
        "tens of megabytes of text on. Make a new one when you want to know every origin of a "
        "model, or to try out the whole way from text to model. To teach a task, use “Teach a "
        "language model your task” instead, or after this."
    ),
    knobs=Knobs,
    inputs=(
        Input(
            name="dataset",
            kind="dataset",
            title=_("Text"),
            help=_(
                "One or more .txt files, .jsonl files with text on each line, or .parquet "
                "files with a column text; .txt and .jsonl also packed as .gz or .zst."
            ),
        ),
        Input(
            name="model",
            kind="model",
            title=_("Base model"),
            help=_(
                "The open model to go on with. For a new model leave it empty, or choose one "
                "to take its tokenizer or to compare with."
            ),
            required=False,
        ),
        Input(
            name="general",
            kind="dataset",
            title=_("General text"),
            help=_(
                "Text like that of the base model, mixed in so that it forgets less. You are "
                "told how well it reads this before and after."
            ),
            required=False,
        ),
    ),
    estimate=estimating.estimate,
    checks=checks,
    makes=_("new language model"),
    count=estimating.count,
    input_checks=input_checks,
    starts_from_base=starts_from,
    reads_texts=True,
    has_dry_run=True,
)

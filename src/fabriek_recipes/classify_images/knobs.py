"""What can be set when teaching labels of pictures, what it costs, whether they will do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from fabriek_recipes import memory
from fabriek_recipes.classify_images import pictures
from fabriek_recipes.cost import Work, price
from fabriek_recipes.facts import model_problems, parameters_of
from fabriek_recipes.kinds import Estimate, Facts, Input, Recipe
from fabriek_recipes.knobs import (
    CheckpointEverySteps,
    Epochs,
    GradientNormMax,
    HeldOutPercent,
    LearningRate,
    StopAfterLooks,
    WarmupPercent,
    WeightDecay,
)
from fabriek_recipes.words import Sentence, _

# What a picture of 224 by 224 points is to a model that sees: pieces of 16 by 16, and one more.
PIECES = 197
# Opening and shrinking one of 2 million points takes 0.05 s on one core (own measurement,
# 2026-11-27) and is 0.4 MB or more; one of 12 million takes six times that, and is as much
# larger; one of 0.2 million 0.01 s.
OPEN_S, OPEN_S_PER_MB = 0.006, 0.1
# As many are kept in a GiB of memory, and the bytes of each; others are opened in each pass.
KEPT, KEPT_BYTES = 1_700, 602_112
# On a processor, before there is a model, and for each piece of a step and root of a weight:
# runs of 6 and 11 million weights took 0.85 to 0.95 times what this says (2026-11-27).
START_CPU, LEARN_BYTES_CPU = 700_000_000, 70
PROCESSOR = "preprocessor_config.json"


class Knobs(BaseModel):
    """Settings of teaching labels of pictures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: Epochs = Field(default=10, le=200)
    learning_rate: LearningRate = Field(
        default=5e-5,
        ge=1e-6,
        description=_("How far each step moves; ten times more for a very small model."),
    )
    # Without any there is no score.
    held_out_percent: HeldOutPercent = Field(
        default=20,
        ge=5,
        description=_(
            "Pictures the model never learns from, to score it honestly. Not used when the "
            "dataset has a folder of its own for this, with “heldout” or “test” in its name, "
            "or a column called split in metadata.csv that says so."
        ),
    )
    mirrored: bool = Field(
        default=True,
        title=_("Mirror half of them"),
        description=_(
            "Each pass shows half of the pictures mirrored, so that it learns more from few. "
            "Switch it off where left and right matter, as with letters."
        ),
        json_schema_extra={"group": "basic"},
    )
    pictures_per_step: int = Field(
        default=16,
        ge=1,
        le=4_096,
        title=_("Pictures per step"),
        description=_("How many each step learns from. Lower it when memory runs out."),
        json_schema_extra={"group": "advanced", "unit": "pictures"},
    )
    # What each takes is small beside a model; above 64 GiB few machines have room.
    pictures_kept_gib: int = Field(
        default=1,
        ge=1,
        le=64,
        title=_("Kept in memory"),
        description=_(
            "Opened pictures are kept, up to this, so that each is read from disk once. What "
            "does not fit is opened again in each pass."
        ),
        json_schema_extra={"group": "advanced", "unit": "GiB"},
    )
    stop_after_looks: StopAfterLooks = 0
    warmup_percent: WarmupPercent = 10
    weight_decay: WeightDecay = 0.01
    gradient_norm_max: GradientNormMax = 1.0
    checkpoint_every_steps: CheckpointEverySteps = 200


def estimate(knobs: Knobs, facts: Facts) -> Estimate:
    """Price a run: 6N operations for each piece of a picture, and opening them."""
    apart = ceil(facts.files * knobs.held_out_percent / 100)
    parameters = facts.base_parameters
    work = Work(
        tokens=(facts.files - apart) * PIECES * knobs.epochs,
        flop_per_token=6 * parameters,
        read_tokens=apart * PIECES,
        parameters=parameters,
        memory_bytes=_memory_bytes(knobs, facts),
        rows_per_step=knobs.pictures_per_step,
    )
    found = price(work, facts)
    # Looking at them, the yardstick, and learning.
    times = 3 if facts.files <= KEPT * knobs.pictures_kept_gib else knobs.epochs + 2
    opening_s = ceil(times * (facts.files * OPEN_S + facts.text_bytes / 1e6 * OPEN_S_PER_MB))
    text = _("Opening and shrinking %(count)s pictures takes about %(seconds)s s.")
    return replace(
        found,
        gpu_seconds=found.gpu_seconds + opening_s * max(1, facts.gpus),
        tokens=(facts.files - apart) * knobs.epochs,
        why=(*found.why, Sentence(text, count=facts.files, seconds=opening_s)),
    )


def _memory_bytes(knobs: Knobs, facts: Facts) -> int:
    """Weights in fp32, gradient and two moments, and what is kept of each picture."""
    parameters = facts.base_parameters
    on_cpu = facts.device == "cpu"
    bytes_each = LEARN_BYTES_CPU if on_cpu else memory.LEARN_BYTES_GPU
    activations = knobs.pictures_per_step * PIECES * (parameters**0.5) * bytes_each
    start = START_CPU if on_cpu else 3_000_000_000
    kept = min(facts.files, KEPT * knobs.pictures_kept_gib) * KEPT_BYTES
    # On a GPU it is the memory of the machine that keeps them.
    kept = kept if on_cpu else 0
    return int(start + parameters * 16 + activations + kept)


def count(inputs: Mapping[str, Path], base: Facts) -> Facts:
    """Count the pictures, their bytes, and the weights of the base model."""
    found = base
    if dataset := inputs.get("dataset"):
        shown, _problems = pictures.find(dataset)
        size = sum(one.path.stat().st_size for one in shown)
        found = replace(found, rows=len(shown), files=len(shown), text_bytes=size)
    if model := inputs.get("model"):
        found = replace(found, base_parameters=parameters_of(model))
    return found


def checks(inputs: dict[str, Path]) -> tuple[Sentence, ...]:
    """Say what is wrong with the pictures' places or the base model."""
    problems: tuple[Sentence, ...] = ()
    if dataset := inputs.get("dataset"):
        problems += pictures.check(dataset)
    if model := inputs.get("model"):
        problems += base_problems(model)
    return problems


def base_problems(model: Path) -> tuple[Sentence, ...]:
    """Say what keeps a folder from being a base model that sees."""
    if found := model_problems(model, reads_text=False):
        return found
    if not (model / PROCESSOR).is_file():
        text = _(
            "The base model does not say how it wants pictures; choose one that sees, with "
            "preprocessor_config.json."
        )
        return (Sentence(text),)
    return ()


RECIPE = Recipe(
    name="classify_images",
    title=_("Give pictures a label"),
    summary=_(
        "Teaches a model that sees to give each picture one of your labels, and scores it on "
        "pictures it has never seen, beside a look at colours alone."
    ),
    when_to_use=_(
        "You have some dozens or more pictures of each kind (good and damaged, kinds of "
        "plants, types of parts) and want new ones sorted the same way."
    ),
    knobs=Knobs,
    inputs=(
        Input(
            name="dataset",
            kind="dataset",
            title=_("Pictures"),
            help=_("A folder for each label, or a metadata.csv with file_name and label."),
        ),
        Input(
            name="model",
            kind="model",
            title=_("Base model"),
            help=_("The model to start from, one that sees, such as ViT, ConvNeXt or ResNet."),
        ),
    ),
    estimate=estimate,
    checks=checks,
    makes=_("model that labels pictures"),
    pipeline_tag="image-classification",
    load='AutoModelForImageClassification.from_pretrained("%s")',
    count=count,
    counts="pictures",
    has_dry_run=True,
)

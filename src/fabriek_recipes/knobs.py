"""Settings that several recipes have: their words once, and what differs in each recipe.

A recipe gives the default, and a bound or a word that is its own.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fabriek_recipes.memory import HOLDINGS, Holding
from fabriek_recipes.words import _

# Short rows share a width of their own: attention costs its square.
WIDTH_MIN = 256

Method = Literal["lora", "full"]
METHODS: dict[str, str] = {
    "lora": _("A small addition (LoRA)"),
    "full": _("Every weight"),
}
TrainedPart = Annotated[
    Method,
    Field(
        title=_("Method"),
        description=_(
            "What is trained. A small addition leaves the base model as it is: cheap, and it "
            "forgets little. Every weight is best for small models."
        ),
        json_schema_extra={"group": "basic", "labels": {**METHODS}},
    ),
]
# How many are too many differs: after those a model only learns by heart.
Epochs = Annotated[
    int,
    Field(
        ge=1,
        title=_("Passes over the data"),
        description=_("How often each row is learned from. More for few rows, fewer for many."),
        json_schema_extra={"group": "basic", "unit": "passes"},
    ),
]
# Above 0.05 even the smallest model breaks down; below which nothing moves differs.
LearningRate = Annotated[
    float,
    Field(le=0.05, title=_("Learning rate"), json_schema_extra={"group": "basic"}),
]
# Half of the rows is the most that may be kept from learning.
HeldOutPercent = Annotated[
    int,
    Field(
        le=50,
        title=_("Kept apart for scoring"),
        description=_(
            "Rows the model never learns from, to score it honestly. Not used when the dataset "
            "has a file of its own for this, with “heldout” or “test” in its name."
        ),
        json_schema_extra={"group": "basic", "unit": "%"},
    ),
]
RowsScoredMax = Annotated[
    int,
    Field(
        ge=1,
        title=_("Most rows scored"),
        json_schema_extra={"group": "advanced", "unit": "rows"},
    ),
]
# At least the longest template; at most what one GPU holds in one row.
TokensPerRowMax = Annotated[
    int,
    Field(
        ge=32,
        le=32_768,
        title=_("Longest row"),
        description=_("Rows with more tokens are left out, and counted."),
        json_schema_extra={"group": "basic", "unit": "tokens"},
    ),
]
# One answer is at most as long as one row.
AnswerTokensMax = Annotated[
    int,
    Field(
        ge=1,
        le=4_096,
        title=_("Longest answer"),
        description=_("Where the model is stopped when it is scored and does not stop itself."),
        json_schema_extra={"group": "advanced", "unit": "tokens"},
    ),
]
# Fewer than 64 tokens is less than one row; a million does not fit one GPU.
TokensPerStep = Annotated[
    int,
    Field(
        ge=64,
        le=1_048_576,
        title=_("Tokens per step"),
        description=_("How much text each step learns from. Lower it when memory runs out."),
        json_schema_extra={"group": "advanced", "unit": "tokens"},
    ),
]
# Half of the run is the longest start that still leaves time to learn.
WarmupPercent = Annotated[
    int,
    Field(
        ge=0,
        le=50,
        title=_("Gentle start"),
        description=_(
            "The part of the run in which the learning rate rises to its full height."
        ),
        json_schema_extra={"group": "advanced", "unit": "%"},
    ),
]
# Weight decay above 1 pulls every weight to nothing.
WeightDecay = Annotated[
    float,
    Field(
        ge=0.0,
        le=1.0,
        title=_("Weight decay"),
        description=_("Keeps weights small, against learning by heart."),
        json_schema_extra={"group": "advanced"},
    ),
]
# Clipping at 100 is no clipping.
GradientNormMax = Annotated[
    float,
    Field(
        gt=0.0,
        le=100.0,
        title=_("Largest gradient"),
        description=_("A step that would jump further is shortened to this."),
        json_schema_extra={"group": "advanced"},
    ),
]
# Each step is the most often that makes sense.
CheckpointEverySteps = Annotated[
    int,
    Field(
        ge=1,
        le=100_000,
        title=_("Save every"),
        description=_(
            "After how many steps the run is saved, so that it can go on from there."
        ),
        json_schema_extra={"group": "advanced", "unit": "steps"},
    ),
]
# A run is looked at ten times: more patience than that is none.
StopAfterLooks = Annotated[
    int,
    Field(
        ge=0,
        le=10,
        title=_("Stop early"),
        description=_(
            "After how many of the ten looks at the rows kept apart without a lower loss the "
            "run stops. The model is then that of the lowest loss. Half of the rows kept apart "
            "choose it and the other half score it; of fewer than 20 rows all do both, and the "
            "scores are a little too good. 0: never."
        ),
        json_schema_extra={"group": "advanced", "unit": "looks"},
    ),
]
# What is computed is the same; what it takes is not.
WeightsHeld = Annotated[
    Holding,
    Field(
        title=_("Weights on several GPUs"),
        description=_(
            "Copies are fastest. Divided, each GPU keeps a part of every weight and fetches "
            "the rest when it is needed: for a model that does not fit on one GPU. By itself a "
            "run divides only when a copy would not fit."
        ),
        json_schema_extra={"group": "advanced", "labels": {**HOLDINGS}},
    ),
]
# A rank above 256 costs as much as training all weights.
LoraRank = Annotated[
    int,
    Field(
        ge=1,
        le=256,
        title=_("LoRA rank"),
        description=_("The width of the addition: higher learns more and costs more memory."),
        json_schema_extra={"group": "advanced"},
    ),
]
# Common practice is once or twice the rank.
LoraAlpha = Annotated[
    int,
    Field(
        ge=1,
        le=1_024,
        title=_("LoRA alpha"),
        description=_("How strongly the addition counts; usually twice the rank."),
        json_schema_extra={"group": "advanced"},
    ),
]
# More than half switched off is no longer learning.
LoraDropout = Annotated[
    float,
    Field(
        ge=0.0,
        le=0.5,
        title=_("LoRA dropout"),
        description=_(
            "The share of the addition switched off at random, against learning by heart."
        ),
        json_schema_extra={"group": "advanced"},
    ),
]

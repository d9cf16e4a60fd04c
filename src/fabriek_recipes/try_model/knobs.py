"""What can be set when a model is tried, and what it costs: the GPU for as long as it lasts."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from fabriek_recipes.facts import model_problems
from fabriek_recipes.kinds import Estimate, Facts, Input, Recipe
from fabriek_recipes.words import Sentence, _

READY = _("Ready: you can ask")
DEFAULT_S = 900


class Knobs(BaseModel):
    """Settings of a session in which a model is tried."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Long enough to read two answers; who went for lunch pays no more than this.
    idle_minutes: int = Field(
        default=5,
        ge=1,
        le=30,
        title=_("Stop when nothing is asked for"),
        description=_("The time begins anew with every question and every answer."),
        json_schema_extra={"group": "basic", "unit": "minutes"},
    )


def estimate(_knobs: Knobs, facts: Facts) -> Estimate:
    """Price a quarter of an hour; whoever asks says how long it really is."""
    return Estimate(gpu_seconds=DEFAULT_S * facts.gpus, memory_bytes=0, why=WHY)


def checks(inputs: dict[str, Path]) -> tuple[Sentence, ...]:
    """Say what keeps a model from being asked."""
    return tuple(problem for folder in inputs.values() for problem in model_problems(folder))


WHY = (
    Sentence(
        _(
            "You pay for the GPU from the start until it stops, also while nothing is asked; "
            "the time that is left over comes back."
        )
    ),
)
RECIPE = Recipe(
    name="try_model",
    title=_("Try a model"),
    summary=_(
        "Ask a model something in the page, and see what its base model says to the same."
    ),
    when_to_use=_("To see with your own eyes what was learned, before you measure it."),
    knobs=Knobs,
    inputs=(
        Input(
            name="model",
            kind="model",
            title=_("Model"),
            help=_("The model that answers, in Hugging Face format with safetensors."),
        ),
        Input(
            name="base",
            kind="model",
            title=_("Base model"),
            help=_("What it was made from, to answer the same beside it."),
            required=False,
        ),
    ),
    estimate=estimate,
    checks=checks,
    is_interactive=True,
    answers_only=True,
)

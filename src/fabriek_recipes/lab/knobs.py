"""What can be set for interactive work, and what it costs: the GPUs for as long as it lasts."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from fabriek_recipes.kinds import Estimate, Facts, Input, Recipe
from fabriek_recipes.words import Sentence, _

READY = _("Ready: you can go in")
DEFAULT_S = 3600


class Knobs(BaseModel):
    """Settings of interactive work."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # A minute is the least in which somebody can begin; a day without a sign is waste.
    idle_minutes: int = Field(
        default=30,
        ge=1,
        le=1_440,
        title=_("Stop when nothing happens for"),
        description=_(
            "A notebook that computes counts as work; an open page in a browser does not."
        ),
        json_schema_extra={"group": "basic", "unit": "minutes"},
    )


def estimate(_knobs: Knobs, facts: Facts) -> Estimate:
    """Price one hour; whoever asks says how long it really is."""
    return Estimate(gpu_seconds=DEFAULT_S * facts.gpus, memory_bytes=0, why=WHY)


def checks(_inputs: dict[str, Path]) -> tuple[Sentence, ...]:
    """Take any data: what is done with it is up to the people."""
    return ()


WHY = (
    Sentence(
        _(
            "You hold the GPUs from the start until you stop, whether or not you use them; "
            "the time that is left over comes back."
        )
    ),
)
RECIPE = Recipe(
    name="lab",
    title=_("Work interactively"),
    summary=_("JupyterLab on the machine: notebooks and a terminal, with your data at hand."),
    when_to_use=_("To look at data, try things out, and find out why a run went wrong."),
    knobs=Knobs,
    inputs=(
        Input(
            name="dataset",
            kind="dataset",
            title=_("Dataset"),
            help=_("It lies in the folder “inputs/dataset”, to read only."),
            required=False,
        ),
        Input(
            name="model",
            kind="model",
            title=_("Model"),
            help=_("It lies in the folder “inputs/model”, to read only."),
            required=False,
        ),
    ),
    estimate=estimate,
    checks=checks,
    is_interactive=True,
)

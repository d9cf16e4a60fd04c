"""What can be set for own code, and what it costs: the GPUs for as long as it was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from fabriek_recipes.kinds import Estimate, Facts, Input, Recipe
from fabriek_recipes.script import command as commands
from fabriek_recipes.script import wanted
from fabriek_recipes.words import Failed, Sentence, _

DEFAULT_S = 3600
COMMAND_CHARACTERS = 4_000
NAME_CHARACTERS = 200


class Knobs(BaseModel):
    """Settings of a run of own code."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: Annotated[str, Field(max_length=COMMAND_CHARACTERS)] = Field(
        default="",
        title=_("Command"),
        description=_(
            "It is started in the folder that you sent, without a shell: python train.py "
            "--epochs 3. Where you want a shell, write: bash -c '…'."
        ),
        json_schema_extra={"group": "basic", "needed": True},
    )
    environment: Annotated[str, Field(max_length=NAME_CHARACTERS)] = Field(
        default="",
        title=_("Environment file"),
        description=_(
            "The name of a requirements.txt or environment.yml in what you sent. Empty: the "
            "factory's own environment, with torch, transformers and scikit-learn."
        ),
        json_schema_extra={"group": "basic"},
    )


def estimate(_knobs: Knobs, facts: Facts) -> Estimate:
    """Price one hour; whoever asks says how long it may really take."""
    return Estimate(gpu_seconds=DEFAULT_S * facts.gpus, memory_bytes=0, why=WHY)


def checks(inputs: dict[str, Path]) -> tuple[Sentence, ...]:
    """Take any data: what is done with it is up to the program."""
    code = inputs.get("code")
    if code is not None and not any(path.is_file() for path in code.rglob("*")):
        return (Sentence(_("What was sent holds no file. Send the folder of your code.")),)
    return ()


def knob_checks(knobs: Knobs, inputs: dict[str, Path]) -> tuple[Sentence, ...]:
    """Look whether the command names what was sent.

    Whether its packages can be had depends on the factory: see `environment_problems`.
    """
    return commands.problems(knobs.command, inputs.get("code"))


def environment_problems(knobs: Knobs, code: Path, *, index: str) -> tuple[Sentence, ...]:
    """Say what cannot be had of an environment file; `index`: from where, empty for nowhere."""
    name = knobs.environment.strip()
    if not name:
        return ()
    try:
        lines = wanted.lacking(wanted.read(environment_file(code, name)))
    except Failed as why:
        return (why.sentence,)
    if lines and not index:
        return (wanted.refusal(lines).sentence,)
    loose = wanted.unpinned(lines)
    return (loose.sentence,) if loose else ()


def environment_file(code: Path, name: str) -> Path:
    """Find the file in what was sent. Raises: Failed."""
    plain = name.strip()
    if not commands.is_inside(plain):
        text = _(
            "The environment file lies outside of what you sent: “%(name)s”. Send it along."
        )
        raise Failed("no_environment", text, name=plain[:NAME_CHARACTERS])
    return code / plain


WHY = (
    Sentence(
        _(
            "You say for how long it may use the GPUs; that is the most it costs. What it does "
            "not use comes back when it ends."
        )
    ),
)
DATASETS = ("dataset", "dataset_2", "dataset_3")
RECIPE = Recipe(
    name="script",
    title=_("Run your own code"),
    summary=_(
        "Your own folder and command on the machine, for whatever the recipes do not do."
    ),
    when_to_use=_(
        "When you have outgrown the recipes: a model, a loss or a library of your own. You "
        "write what is saved and how it goes on; a recipe does that for you."
    ),
    knobs=Knobs,
    inputs=(
        Input(
            name="code",
            kind="code",
            title=_("Code"),
            help=_("What was sent of your folder. Send it again after each change."),
        ),
        Input(
            name="dataset",
            kind="dataset",
            title=_("Dataset"),
            help=_("Your program finds it in the folder FABRIEK_DATA, to read only."),
            required=False,
        ),
        Input(
            name="dataset_2",
            kind="dataset",
            title=_("Second dataset"),
            help=_("Your program finds it in the folder FABRIEK_DATA_2."),
            required=False,
        ),
        Input(
            name="dataset_3",
            kind="dataset",
            title=_("Third dataset"),
            help=_("Your program finds it in the folder FABRIEK_DATA_3."),
            required=False,
        ),
        Input(
            name="model",
            kind="model",
            title=_("Base model"),
            help=_("Your program finds it in the folder FABRIEK_BASE_MODEL, to read only."),
            required=False,
        ),
    ),
    estimate=estimate,
    checks=checks,
    knob_checks=knob_checks,
    makes=_("model of own code"),
    # Of which kind it is only who wrote the code knows.
    library_name="",
    pipeline_tag="",
    load='snapshot_download("%s")',
    is_own_code=True,
)

"""What dry runs measured, and what that makes of an estimate for the same settings."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pydantic import BaseModel

from fabriek.cases.models import Case
from fabriek.kernel.errors import Text
from fabriek.kernel.words import day, number, size
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek.store.models import Revision
from fabriek_recipes import cost
from fabriek_recipes.kinds import Estimate, Facts, Recipe
from fabriek_recipes.recipe import catalogue
from fabriek_recipes.words import Sentence

STEPS = 10
GPUS, NODES = 1, 1
TIMEOUT_S = 900
# Reading, loading, ten steps: most of them are over much sooner.
GPU_SECONDS = 120
# What changes how long all steps take together, or only what is learned: not one step.
OTHER_KNOBS = {
    "epochs",
    "learning_rate",
    "held_out_percent",
    "held_out_rows_max",
    "held_out_texts_max",
    "mixed_percent",
    "answer_tokens_max",
    "warmup_percent",
    "weight_decay",
    "gradient_norm_max",
    "checkpoint_every_steps",
    "answers_learned",
    "stop_after_looks",
    "beta",
    "doubt_percent",
    "mirrored",
    "rounds_max",
    "patience",
    "windows",
    "interval_percent",
}
# By what a recipe counts.
SPEEDS: dict[str, Text] = {
    "tokens": gettext_lazy("%(speed)s tokens a second on one GPU"),
    "pictures": gettext_lazy("%(speed)s pictures a second on one GPU"),
    "cells": gettext_lazy("%(speed)s cells of the table a second"),
    "moments": gettext_lazy("%(speed)s moments a second"),
}
# Of a model whose weights had to be divided.
SPEED_OF_SEVERAL = gettext_lazy("%(speed)s tokens a second on %(gpus)s GPUs")
FEW = 100
LOOKED_AT = 20
STEP_S_MAX, STEP_TOKENS_MAX, MEMORY_MAX = 3_600, 10**9, 10**15


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """One dry run of the same recipe, base model and settings."""

    run: Run
    seconds_per_token: float
    memory_bytes: int

    def says(self) -> str:
        said = {
            "speed": _speed(self.run, 1 / self.seconds_per_token),
            "memory": size(self.memory_bytes),
            "run": self.run,
            "day": day(self.run.ended_at or self.run.asked_at),
        }
        return (
            _("Measured on %(day)s by the dry run %(run)s: %(speed)s, %(memory)s of memory.")
            % said
        )


def latest(
    recipe: Recipe, knobs: BaseModel, inputs: Mapping[str, Revision], *, case: Case | None
) -> Tried | None:
    """Find the last dry run of this case that tells how long a step takes."""
    if case is None or not recipe.has_dry_run:
        return None
    rows = Run.objects.filter(
        case=case, recipe=recipe.name, is_dry=True, state=RunState.SUCCEEDED
    )
    if model := inputs.get("model"):
        rows = rows.filter(inputs__name="model", inputs__revision=model)
    wanted = _telling(knobs.model_dump())
    for run in rows.order_by("-pk")[:LOOKED_AT]:
        if _telling(run.knobs) == wanted and (found := measured(run)):
            return found
    return None


def corrected(
    estimate: Estimate, tried: Tried, *, recipe: Recipe, knobs: BaseModel, facts: Facts
) -> Estimate:
    """Put what was measured in the place of what was reckoned: of learning, and of memory."""
    on = tried.run.gpus
    same = recipe.estimate(knobs, replace(facts, gpus=on))
    if not same.learning_s or not same.tokens:
        return estimate
    factor = tried.seconds_per_token * same.tokens / same.learning_s
    wall_s = estimate.gpu_seconds / facts.gpus + estimate.learning_s * (factor - 1)
    # Divided over another number of GPUs, each holds another part.
    holds_same = on in {GPUS, facts.gpus}
    return replace(
        estimate,
        gpu_seconds=ceil(wall_s * facts.gpus),
        memory_bytes=tried.memory_bytes if holds_same else estimate.memory_bytes,
        why=tuple(_retold(one, estimate.learning_s * factor) for one in estimate.why),
    )


def _retold(reason: Sentence, learning_s: float) -> Sentence:
    if reason.msgid != cost.TAKES:
        return reason
    return Sentence(cost.TAKES, **{**reason.values, "train": ceil(learning_s)})


def _speed(run: Run, per_s: float) -> str:
    """Say how fast it learns, in what its recipe counts."""
    recipe = catalogue().get(run.recipe)
    counts = recipe.counts if recipe else "tokens"
    figure = number(per_s, 1) if per_s < FEW else number(round(per_s))
    if run.gpus > GPUS:
        return str(SPEED_OF_SEVERAL) % {"speed": figure, "gpus": run.gpus}
    return str(SPEEDS[counts]) % {"speed": figure}


def _telling(knobs: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in knobs.items() if name not in OTHER_KNOBS}


def measured(run: Run) -> Tried | None:
    seconds, tokens, memory = (
        run.measured.get(name)
        for name in ("seconds_per_step", "tokens_per_step", "memory_bytes")
    )
    # A job says of itself what it likes: what cannot be is no measurement.
    told = ((seconds, STEP_S_MAX), (tokens, STEP_TOKENS_MAX), (memory, MEMORY_MAX))
    if any(value is None or not 0 < value <= most for value, most in told):
        return None
    return Tried(run=run, seconds_per_token=seconds / tokens, memory_bytes=int(memory))

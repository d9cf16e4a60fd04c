"""What can be run: recipes, the check of their knobs, and the price before the start."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

from django.core.cache import cache as memory
from django.utils.translation import gettext as _
from pydantic import BaseModel, ValidationError

from fabriek.kernel.errors import Invalid
from fabriek.kernel.words import percent_sign
from fabriek.runs import engine, folders, words
from fabriek.runs.words import amount, pydantic_sentence, told
from fabriek.store.models import Revision
from fabriek_recipes import facts
from fabriek_recipes.kinds import Estimate, Facts, Recipe
from fabriek_recipes.recipe import catalogue, runnable
from fabriek_recipes.words import Failed, Sentence, Value

# A run may take this much longer than estimated before the engine stops it; what it does not
# use is given back.
PATIENCE = 3
TIMEOUT_MIN_S = 600
TIMEOUT_MAX_S = 7 * 24 * 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """What a run will cost (about), and what is held for it (at most).

    `warnings`: what somebody should know of its data before it costs anything.
    """

    gpu_seconds: int
    gpu_seconds_held: int
    timeout_s: int
    memory_bytes: int
    why: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def recipes() -> list[Recipe]:
    return list(catalogue().values())


def titles() -> dict[str, str]:
    """Name every recipe that a run may have, in the reader's language."""
    return {recipe.name: _(recipe.title) for recipe in runnable().values()}


def recipe(name: str) -> Recipe:
    """Find a recipe by its name.

    Raises:
        Invalid: there is no such recipe.
    """
    return _found(name, catalogue())


def known(name: str) -> Recipe:
    """Find what a run may be of, also interactive work, which a room of its own offers.

    Raises:
        Invalid: there is nothing of this name.
    """
    return _found(name, runnable())


def _found(name: str, known: Mapping[str, Recipe]) -> Recipe:
    found = known.get(name)
    if found is None:
        raise Invalid(
            _("There is no recipe “%(name)s”. Choose one of: %(names)s.")
            % {"name": name[:60], "names": ", ".join(catalogue())},
            code="unknown_recipe",
        )
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Knob:
    """One setting of a recipe as a form shows it, in the reader's language."""

    name: str
    title: str
    help: str
    kind: str  # integer, number, boolean or string
    default: object
    unit: str = ""
    is_advanced: bool = False
    choices: tuple[tuple[str, str], ...] = ()  # the word of programs, and that of people
    minimum: float | None = None
    maximum: float | None = None

    def said(self, value: object) -> str:
        return dict(self.choices).get(str(value)) or amount(value)

    def said_with_unit(self, value: object) -> str:
        if self.unit == "%":
            return f"{self.said(value)}{percent_sign()}"
        return f"{self.said(value)} {self.unit}".strip()


def knob_schema(recipe: Recipe) -> dict[str, Any]:
    """Give the JSON schema of a recipe's knobs, its titles and helps translated."""
    schema = _schema(recipe.knobs)
    fields = {name: _translated(field) for name, field in schema["properties"].items()}
    return schema | {"properties": fields}


# Kept: pydantic takes longer over it than the page of a run over all else.
@cache
def _schema(knobs: type[BaseModel]) -> dict[str, Any]:
    schema = knobs.model_json_schema()
    schema.pop("description", None)
    return schema


def _translated(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Make a copy in the reader's language: what is kept serves the others."""
    field = dict(kept)
    for name in ("title", "description"):
        if name in field:
            field[name] = _(field[name])
    if "unit" in field:
        field["unit"] = words.unit(field["unit"])
    if "labels" in field:
        field["labels"] = {word: _(label) for word, label in field["labels"].items()}
    return field


def knobs_of(recipe: Recipe) -> list[Knob]:
    return [_knob(name, field) for name, field in knob_schema(recipe)["properties"].items()]


def chosen(name: str, knobs: Mapping[str, object]) -> list[tuple[Knob, object]]:
    """Pair what was set with the recipe's knobs; if the recipe is gone, with bare names."""
    recipe = runnable().get(name)
    known = {knob.name: knob for knob in knobs_of(recipe)} if recipe else {}
    return [(known.get(one) or _bare(one), value) for one, value in knobs.items()]


def _bare(name: str) -> Knob:
    return Knob(name=name, title=name.replace("_", " "), help="", kind="string", default=None)


def _knob(name: str, field: Mapping[str, Any]) -> Knob:
    labels: Mapping[str, str] = field.get("labels", {})
    return Knob(
        name=name,
        title=field.get("title", name),
        help=field.get("description", ""),
        kind=field.get("type", "string"),
        default=field.get("default"),
        unit=field.get("unit", ""),
        is_advanced=field.get("group") == "advanced",
        choices=tuple((word, labels.get(word, word)) for word in field.get("enum", ())),
        minimum=field.get("minimum", field.get("exclusiveMinimum")),
        maximum=field.get("maximum", field.get("exclusiveMaximum")),
    )


def checked_knobs(recipe: Recipe, given: Mapping[str, object]) -> BaseModel:
    """Let the recipe check what was given; what is left out gets its default.

    Raises:
        Invalid: with a sentence for each knob that is wrong.
    """
    try:
        return recipe.knobs.model_validate(dict(given))
    except ValidationError as wrong:
        fields = {
            ".".join(str(part) for part in error["loc"]): pydantic_sentence(error)
            for error in wrong.errors(include_url=False)
        }
        named = "; ".join(f"{name}: {text}" for name, text in fields.items())
        raise Invalid(
            _("These settings cannot be used: %(named)s") % {"named": named}, fields=fields
        ) from wrong


def checked_inputs(recipe: Recipe, inputs: Mapping[str, Revision]) -> None:
    """Look at the files themselves before any GPU time is held.

    Raises:
        Invalid: an input is missing, of the wrong kind, or its contents will not do.
    """
    for need in recipe.inputs:
        found = inputs.get(need.name)
        if need.required and found is None:
            raise Invalid(
                _("Choose what this run works on: %(input)s.") % {"input": _(need.title)},
                code="input_missing",
                fields={need.name: _("This is needed.")},
            )
        if found and found.repository.kind != need.kind:
            raise Invalid(
                _("%(input)s cannot be used here: choose another.")
                % {"input": found.repository}
            )
    if problems := _problems(recipe, inputs):
        raise Invalid(" ".join(told(problem) for problem in problems[:5]), code="bad_input")


def price(
    recipe: Recipe,
    knobs: BaseModel,
    inputs: Mapping[str, Revision],
    *,
    gpus: int,
    timeout_s: int | None,
) -> Price:
    """Estimate a run on what it will really read, by the recipe's own formula.

    Interactive work takes as long as was asked for, so that this is its price.
    """
    looked_at = {} if recipe.is_interactive else inputs
    estimate: Estimate = recipe.estimate(knobs, _facts(looked_at, gpus=gpus))
    gpu_seconds = estimate.gpu_seconds
    if recipe.is_interactive:
        timeout_s = timeout_s or ceil(gpu_seconds / gpus)
        gpu_seconds = gpus * timeout_s
    timeout_s = timeout_s or _patience(gpu_seconds / gpus)
    return Price(
        gpu_seconds=gpu_seconds,
        gpu_seconds_held=gpus * timeout_s,
        timeout_s=timeout_s,
        memory_bytes=estimate.memory_bytes,
        why=tuple(told(sentence) for sentence in estimate.why),
    )


def _patience(estimated_s: float) -> int:
    minutes = ceil(estimated_s * PATIENCE / 60)
    return min(max(TIMEOUT_MIN_S, minutes * 60), TIMEOUT_MAX_S)


def _problems(recipe: Recipe, inputs: Mapping[str, Revision]) -> tuple[Sentence, ...]:
    key = f"problems:{recipe.name}:{_named(inputs)}"
    kept: list[tuple[str, dict[str, Value]]] | None = memory.get(key)
    if kept is None:
        with folders.laid_out(dict(inputs)) as paths:
            kept = [(one.msgid, dict(one.values)) for one in recipe.checks(paths)]
        memory.set(key, kept)
    return tuple(Sentence(msgid, **values) for msgid, values in kept)


def _facts(inputs: Mapping[str, Revision], *, gpus: int) -> Facts:
    base = Facts(
        rows=0,
        text_bytes=0,
        gpus=gpus,
        device=engine.device(),
        cores=os.cpu_count() or 1,
    )
    key = f"facts:{gpus}:{base.device}:{_named(inputs)}"
    found: Facts | None = memory.get(key)
    if found is None:
        with folders.laid_out(dict(inputs)) as paths:
            found = _looked_at(paths, base)
        memory.set(key, found)
    return found


def _looked_at(paths: dict[str, Path], base: Facts) -> Facts:
    try:
        return facts.look(paths, base, plain="model" not in paths)
    except Failed as failed:
        raise Invalid(told(failed.sentence), code=failed.code) from failed


def _named(inputs: Mapping[str, Revision]) -> str:
    """Revisions never change, so that what was seen in them may be remembered."""
    return ",".join(f"{name}={inputs[name].pk}" for name in sorted(inputs))

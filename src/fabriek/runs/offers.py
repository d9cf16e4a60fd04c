"""What can be run: recipes, the check of their knobs and inputs."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.core.cache import cache
from django.utils.translation import gettext as _
from pydantic import BaseModel, ValidationError

from fabriek.kernel.errors import Invalid
from fabriek.kernel.words import percent_sign
from fabriek.people.models import Person
from fabriek.runs import engine, own_code, recipe_checks, withheld, words
from fabriek.runs.words import amount, pydantic_sentence, told
from fabriek.store.models import Revision
from fabriek_recipes.kinds import Facts, Recipe
from fabriek_recipes.recipe import catalogue, runnable
from fabriek_recipes.words import Failed, Sentence, Value


def recipes() -> list[Recipe]:
    """List what is offered here: people's own code is not, everywhere."""
    found = catalogue().values()
    return [one for one in found if not one.is_own_code or own_code.is_offered()]


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
    is_needed: bool = True  # nothing is no answer
    choices: tuple[tuple[str, str], ...] = ()  # the word of programs, and that of people
    minimum: float | None = None
    maximum: float | None = None
    is_above: bool = False  # the minimum itself is too low

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
@functools.cache
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
        is_needed=field.get("default") != "" or field.get("needed", False),
        choices=tuple((word, labels.get(word, word)) for word in field.get("enum", ())),
        minimum=field.get("minimum", field.get("exclusiveMinimum")),
        maximum=field.get("maximum", field.get("exclusiveMaximum")),
        is_above="exclusiveMinimum" in field,
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


def checked_inputs(
    recipe: Recipe,
    inputs: Mapping[str, Revision],
    knobs: BaseModel | None = None,
    *,
    by: Person | None = None,
) -> None:
    """Look at the files themselves, and at `knobs` beside them, before any GPU time is held.

    `by`: who is told what is wrong; words of rows only where they may read these.

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
    wrong = _problems(recipe, inputs)
    if problems := wrong or _knob_problems(recipe, inputs, knobs):
        raise Invalid(_said(problems[:5], inputs, by, of_settings=not wrong), code="bad_input")


def first_wrong(
    recipe: Recipe, inputs: Mapping[str, Revision], *, by: Person
) -> tuple[str, bool]:
    """Say the first that is wrong with data for a recipe as its form opens; "" for nothing.

    Also whether it is a setting: these data may do, once that is given.

    Raises: Refused, Invalid: they cannot be looked at.
    """
    wrong = _problems(recipe, inputs)
    problems = wrong or _remembered(
        f"first:{recipe.name}:{_named(inputs)}",
        lambda: recipe_checks.of_settings(recipe, inputs, recipe.knobs()),
    )
    return _said(problems[:1], inputs, by, of_settings=not wrong), not wrong


def _said(
    found: Iterable[Sentence],
    inputs: Mapping[str, Revision],
    by: Person | None,
    *,
    of_settings: bool,
) -> str:
    if by is None:
        return " ".join(map(told, found))
    return " ".join(
        withheld.problem(one, inputs=inputs, person=by, of_settings=of_settings)
        for one in found
    )


def _problems(recipe: Recipe, inputs: Mapping[str, Revision]) -> tuple[Sentence, ...]:
    return _remembered(
        f"problems:{recipe.name}:{_named(inputs)}",
        lambda: recipe_checks.of_inputs(recipe, inputs),
    )


def _remembered(key: str, find: Callable[[], Sequence[Sentence]]) -> tuple[Sentence, ...]:
    """Give what was found before of these revisions, which never change."""
    kept: list[tuple[str, dict[str, Value]]] | None = cache.get(key)
    if kept is None:
        kept = [(one.msgid, dict(one.values)) for one in find()]
        cache.set(key, kept)
    return tuple(Sentence(msgid, **values) for msgid, values in kept)


def _knob_problems(
    recipe: Recipe, inputs: Mapping[str, Revision], knobs: BaseModel | None
) -> tuple[Sentence, ...]:
    """Say what settings and files do not agree on, such as a column that is not there."""
    if knobs and recipe.input_checks and (wrong := recipe.input_checks(knobs, inputs.keys())):
        return wrong
    if knobs is None or recipe.knob_checks is None:
        return ()
    return tuple(recipe_checks.of_settings(recipe, inputs, knobs))


def facts_of(
    recipe: Recipe, inputs: Mapping[str, Revision], *, gpus: int, by: Person | None = None
) -> Facts:
    """Count what an estimate needs; what was counted before is remembered, but not the pace.

    `by`: who is told why that cannot be; words of rows only where they may read these.

    Raises: Refused, Invalid: they cannot be looked at, or not counted.
    """
    base = Facts(
        rows=0,
        text_bytes=0,
        gpus=gpus,
        device=engine.device(),
        cores=engine.cores(),
    )
    way = recipe.name if recipe.count else ""
    key = f"facts:{way}:{gpus}:{base.device}:{_named(inputs)}"
    found: Facts | None = cache.get(key)
    if found is None:
        try:
            found = recipe_checks.counted(recipe, inputs, base)
        except Failed as failed:
            text = _said([failed.sentence], inputs, by, of_settings=False)
            raise Invalid(text, code=failed.code) from failed
        cache.set(key, found)
    return replace(found, flops_per_core=engine.flops_per_core())


def _named(inputs: Mapping[str, Revision]) -> str:
    """Revisions never change, so that what was seen in them may be remembered."""
    return ",".join(f"{name}={inputs[name].pk}" for name in sorted(inputs))

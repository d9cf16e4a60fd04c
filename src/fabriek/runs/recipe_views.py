"""Pages that tell what each recipe is for: no account is needed to read them."""

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from fabriek.runs import offers
from fabriek.runs.words import amount
from fabriek_recipes.guides import GUIDES
from fabriek_recipes.kinds import Recipe
from fabriek_recipes.recipe import runnable

OPTIONS = {"dataset": "data"}  # what the command line calls it


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """A knob as the page shows it; `option` is what it is called on the command line."""

    title: str
    help: str
    option: str
    default: str
    allowed: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Better:
    """Another recipe, and when it does better; `url` is empty where it has no page."""

    when: str
    title: str
    url: str


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    offered = [one for one in offers.recipes() if one.name in GUIDES]
    return render(request, "runs/recipes.html", {"recipes": offered})


@require_safe
def detail(request: HttpRequest, name: str) -> HttpResponse:
    recipe = next((one for one in offers.recipes() if one.name == name), None)
    if recipe is None or name not in GUIDES:
        raise Http404
    guide = GUIDES[name]
    context = {
        "recipe": recipe,
        # Translated here: Django's tag looks for another sentence where there is a % in it.
        "guide": {
            "fits": [_(one) for one in guide.fits],
            "bring": _(guide.bring),
            "example": guide.example,
            "get": _(guide.get),
            "rough": _(guide.rough),
            "after": _(guide.after),
        },
        "better": [_better(one.recipe, one.when) for one in guide.instead],
        "inputs": recipe.inputs,
        "settings": _settings(recipe),
        "command": _command(recipe),
    }
    return render(request, "runs/recipe.html", context)


def _better(name: str, when: str) -> Better:
    known = runnable()[name]
    url = reverse("runs:recipe", args=[name]) if name in GUIDES else ""
    return Better(when=_(when), title=_(known.title), url=url)


def _settings(recipe: Recipe) -> list[Setting]:
    properties: dict[str, dict[str, Any]] = offers.knob_schema(recipe)["properties"]
    return [
        Setting(
            title=str(knob["title"]),
            help=str(knob.get("description", "")),
            option=f"--{name.replace('_', '-')}",
            default=_said(knob, knob.get("default")),
            allowed=_allowed(knob),
        )
        for name, knob in properties.items()
    ]


def _said(knob: dict[str, Any], value: object) -> str:
    if value in {None, ""}:
        return ""
    return str(knob.get("labels", {}).get(value) or amount(value))


def _allowed(knob: dict[str, Any]) -> str:
    if "enum" in knob:
        return ", ".join(_said(knob, word) for word in knob["enum"])
    least = knob.get("minimum", knob.get("exclusiveMinimum"))
    most = knob.get("maximum", knob.get("exclusiveMaximum"))
    if least is None or most is None:
        return ""
    return _("%(least)s to %(most)s") % {"least": amount(least), "most": amount(most)}


def _command(recipe: Recipe) -> str:
    """Write how it is started in a terminal, with codes as an example."""
    codes = {"dataset": "D26-0001", "model": "M26-0001"}
    words = [
        f"--{OPTIONS.get(need.name, need.name.replace('_', '-'))} {codes[need.kind]}"
        for need in recipe.inputs
        if need.required and need.kind in codes
    ]
    own = ['--folder . --command "python train.py"'] if recipe.is_own_code else []
    return " ".join(["fabriek run", recipe.name, "--case C26-0001", *own, *words])

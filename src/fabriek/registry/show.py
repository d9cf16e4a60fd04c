"""The facts of a model as its page lists them."""

from django.utils.translation import gettext as _

from fabriek.kernel import words
from fabriek.kernel.facts import Fact
from fabriek.people.models import Person
from fabriek.registry import licences, queries
from fabriek.registry.models import Model
from fabriek.runs import lineage
from fabriek_recipes.recipe import catalogue


def facts(model: Model, person: Person) -> list[Fact]:
    """List what one wants to know before using a model; what is unknown is left out."""
    base = queries.base_told(model, person)
    return [*_descent(model, base), *_size(model), *_making(model), _readers(model)]


def load(model: Model) -> str:
    """Say how one loads it in Python; what came from elsewhere counts as a language model."""
    recipe = catalogue().get(model.run.recipe) if model.run else None
    line = recipe.load if recipe else 'AutoModelForCausalLM.from_pretrained("%s")'
    return line % model.code


def is_by_own_code(model: Model) -> bool:
    """Whether its scores are what somebody's own code says."""
    recipe = catalogue().get(model.run.recipe) if model.run else None
    return bool(recipe and recipe.is_own_code)


def library(model: Model) -> str:
    """Name the library with which one loads it."""
    recipe = catalogue().get(model.run.recipe) if model.run else None
    # Of own code it is not known; whoever uses it gets the files themselves.
    return (recipe.library_name or "huggingface_hub") if recipe else "transformers"


def recipe_title(name: str) -> str:
    recipe = catalogue().get(name)
    return _(recipe.title) if recipe else name


def _is_ours(model: Model) -> bool:
    """Tell whether the reader is of its case: of that an open model tells strangers nothing."""
    return bool(model.is_ours)  # type: ignore[attr-defined]


def _descent(model: Model, base: Model | None) -> list[Fact]:
    found = []
    if model.case and _is_ours(model):
        url = model.case.get_absolute_url()
        found.append(Fact(label=_("Case"), value=model.case.title, url=url))
    if base:
        found.append(Fact(label=_("Base model"), value=base.title, url=base.get_absolute_url()))
    derived = _("Derived from the licences of data and base model: a rule of thumb.")
    help_ = derived if model.run_id else _("As its makers gave it.")
    label = licences.label(model.licence)
    return [*found, Fact(label=_("Licence"), value=label, help=help_)]


def _size(model: Model) -> list[Fact]:
    revision = model.revision
    said = Fact(label=_("Size"), value=words.size(revision.size_bytes))
    parameters = model.facts.get("parameters_total")
    if not isinstance(parameters, int) or not parameters:
        return [said]
    help_ = _("The numbers it learned: more of them can do more, and need a larger machine.")
    return [said, Fact(label=_("Parameters"), value=words.number(parameters), help=help_)]


def _making(model: Model) -> list[Fact]:
    found = []
    if model.run:
        found.append(Fact(label=_("Recipe"), value=recipe_title(model.run.recipe)))
    if model.run and _is_ours(model):
        used = words.gpu_hours(lineage.gpu_seconds_used(model.run))
        help_ = lineage.is_counted(model.run)
        found.append(Fact(label=_("Cost of the run"), value=used, help=help_))
    for name, label in (
        ("rows_trained", _("Rows learned from")),
        ("rows_held_out", _("Rows kept apart for the scores")),
        ("rows_chose", _("Rows kept apart that chose when to stop")),
    ):
        if isinstance(count := model.facts.get(name), int):
            found.append(Fact(label=label, value=words.number(count)))
    registered = Fact(label=_("Registered"), value=words.day(model.registered_at))
    return [*found, registered]


def _readers(model: Model) -> Fact:
    if model.repository.is_open:
        value, help_ = _("Everybody who is signed in"), ""
    else:
        value = _("The people of this case")
        help_ = _("Nobody else: the factory's staff cannot fetch it either.")
    told = _("Each file that is fetched is written down.")
    return Fact(label=_("Who may use it"), value=value, help=f"{help_} {told}".strip())

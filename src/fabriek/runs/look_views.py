"""The page of what a model will see: parse, look, show."""

from collections.abc import Mapping
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from fabriek.agreements import policy
from fabriek.cases.models import Case
from fabriek.people.http import SignedIn
from fabriek.runs import offers, rules, seen_rows, seen_words
from fabriek.runs.actions import Wish
from fabriek.runs.histogram import histogram
from fabriek.runs.look import Looked, look
from fabriek.runs.paid_form import GIVEN_MAX, INPUT, KNOB, OFF, OTHERS
from fabriek.store.models import Revision
from fabriek.store.references import revision_of, written
from fabriek_recipes.kinds import Recipe

# What decides which rows are seen, and how.
KNOBS = ("tokens_per_row_max", "answers_learned")
OF_TEXTS = ("method", "tokenizer", "vocabulary", "context_tokens")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def rows(request: SignedIn) -> HttpResponse:
    """Show it at an address of its own; a form that is sent here leads there."""
    recipe = offers.recipe(request.GET.get("recipe", ""))
    case = get_object_or_404(
        Case.objects.visible_to(request.user), code=request.GET.get("case", "")
    )
    rules.require_ask(request.user, case)
    if request.method == "POST":
        return redirect(f"{reverse('runs:rows')}?{_asked(request, case, recipe)}")
    knobs = {name: request.GET[name] for name in _knobs(recipe) if request.GET.get(name)}
    wish = Wish(recipe=recipe.name, knobs=knobs, inputs=_inputs(request, recipe))
    looked = look(wish, case=case, by=request.user)
    settings = _settings(request.GET, recipe)
    return render(request, "runs/rows.html", _context(looked, case, recipe, settings))


def _knobs(recipe: Recipe) -> tuple[str, ...]:
    return OF_TEXTS if recipe.reads_texts else KNOBS


def _asked(request: SignedIn, case: Case, recipe: Recipe) -> str:
    told = {"case": case.code, "recipe": recipe.name}
    told |= {need.name: request.POST.get(INPUT + need.name, "") for need in recipe.inputs}
    told |= {name: request.POST.get(KNOB + name, "") for name in _knobs(recipe)}
    told |= _settings(request.POST, recipe)
    return urlencode({name: value for name, value in told.items() if value})


def _settings(given: Mapping[str, str], recipe: Recipe) -> dict[str, str]:
    """Give what stood in the form, so that the way back leads to it as it was."""
    found = {name: given.get(name, "") for name in sorted(OTHERS)}
    for knob in offers.knobs_of(recipe):
        # An address says of each box how it was; of a form only those that are ticked.
        unticked = OFF if knob.kind == "boolean" and "seed" in given else ""
        found[KNOB + knob.name] = given.get(KNOB + knob.name, unticked)
    return {name: value for name, value in found.items() if 0 < len(value) <= GIVEN_MAX}


def _inputs(request: SignedIn, recipe: Recipe) -> dict[str, Revision]:
    among = policy.visible_to(request.user)
    return {
        need.name: revision_of(request.GET[need.name], among=among, kind=need.kind)
        for need in recipe.inputs
        if request.GET.get(need.name)
    }


def _context(
    looked: Looked, case: Case, recipe: Recipe, settings: Mapping[str, str]
) -> dict[str, object]:
    count = looked.count
    back = {"case": case.code, "recipe": recipe.name}
    back |= {"dataset": written(looked.dataset)}
    if looked.model:
        back |= {"model": written(looked.model)}
    back |= settings
    remarks = seen_words.remarks(looked)
    return {
        "case": case,
        "recipe": recipe,
        "looked": looked,
        "names": [written(one) for one in (looked.dataset, looked.model) if one],
        "back": f"{reverse('runs:new')}?{urlencode(back)}",
        "remarks": remarks,
        "is_wrong": any(one.tone == seen_words.WRONG for one in remarks),
        "facts": seen_words.facts(looked),
        "length_sentence": seen_words.length_sentence(looked),
        "histogram": histogram(count.lengths, most=looked.longest) if count else None,
        "rows": seen_rows.rows(looked),
    }

"""The pages of searches for good settings: parse, call one action, show."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST, require_safe

from fabriek.cases.models import Case
from fabriek.kernel.paging import paginate
from fabriek.people.http import SignedIn
from fabriek.runs import offers
from fabriek.sweeps import actions, inputs, queries, reasons, rules, show
from fabriek.sweeps.forms import SweepForm
from fabriek.sweeps.models import Sweep
from fabriek_recipes.searches import searchable

NOTHING_NEW = 204
TO_MEND = 422


@login_required
@require_safe
def index(request: SignedIn) -> HttpResponse:
    code = request.GET.get("case", "")
    page = paginate(queries.listing(request.user, case=code), request.GET.get("page", "1"))
    titles = offers.titles()
    lines = [(one, titles.get(one.recipe, one.recipe), show.tone(one)) for one in page.items]
    return render(request, "sweeps/list.html", {"page": page, "lines": lines, "code": code})


@login_required
def new(request: SignedIn) -> HttpResponse:
    """Choose the recipe, fill in the form: two addresses of one page."""
    case = _case(request)
    rules.require_start(request.user, case)
    name = request.GET.get("recipe", "")
    if not name:
        known = searchable()
        found = [recipe for recipe in offers.recipes() if recipe.name in known]
        return render(request, "sweeps/choose.html", {"case": case, "recipes": found})
    form = _form(request, case)
    if form.is_bound and form.is_valid() and "look" not in request.POST:
        return _start(request, form)
    context = {"form": form, "case": case, "recipe": form.recipe}
    return render(request, "sweeps/new.html", context, status=TO_MEND if form.errors else 200)


@login_required
@require_POST
def price(request: SignedIn) -> HttpResponse:
    """Show the part of the form that says what the search costs, for htmx."""
    case = _case(request)
    rules.require_start(request.user, case)
    form = _form(request, case)
    form.is_valid()
    return render(request, "sweeps/_price.html", {"form": form, "wrong": True})


@login_required
@require_safe
def detail(request: SignedIn, code: str) -> HttpResponse:
    sweep = _sweep(request, code)
    inside = rules.may_see_inside(request.user, sweep)
    board = queries.board(sweep) if inside else None
    has_best = board is not None and board.best is not None
    context = {
        "sweep": sweep,
        "inside": inside,
        "recipe_title": offers.titles().get(sweep.recipe, sweep.recipe),
        "state": show.state_said(sweep),
        "tone": show.tone(sweep),
        "why": reasons.why(sweep) if inside else "",
        "steps": rules.next_steps(request.user, sweep, has_best=has_best, inside=inside),
        "facts": show.facts(sweep),
        "shown": show.shown(board) if board else None,
        "settings": show.settings(sweep) if inside else [],
        "inputs": inputs.shown(sweep, request.user) if inside else [],
    }
    return render(request, "sweeps/detail.html", context)


@login_required
@require_GET
def live(request: SignedIn, code: str) -> HttpResponse:
    """Show the part of the page that changes; a search that ended reloads the whole page."""
    sweep = _sweep(request, code)
    if not sweep.is_unfinished or not rules.may_see_inside(request.user, sweep):
        return HttpResponse(headers={"HX-Refresh": "true"})
    board = queries.board(sweep)
    if request.GET.get("seen") == show.seen(board):
        return HttpResponse(status=NOTHING_NEW)
    context = {
        "sweep": sweep,
        "state": show.state_said(sweep),
        "tone": show.tone(sweep),
        "shown": show.shown(board),
    }
    return render(request, "sweeps/_live.html", context)


@login_required
@require_POST
def go_on(request: SignedIn, code: str) -> HttpResponse:
    sweep = actions.go_on(_sweep(request, code), by=request.user)
    messages.success(request, _("The search goes on."))
    return redirect(sweep)


@login_required
@require_POST
def stop(request: SignedIn, code: str) -> HttpResponse:
    sweep = actions.stop(_sweep(request, code), by=request.user)
    messages.success(request, _("The search was stopped; its runs end in some seconds."))
    return redirect(sweep)


@login_required
@require_POST
def keep(request: SignedIn, code: str) -> HttpResponse:
    run = actions.keep(_sweep(request, code), by=request.user)
    messages.success(
        request, _("The winner is trained at full length, as %(run)s.") % {"run": run}
    )
    return redirect(run)


def _case(request: SignedIn) -> Case:
    rows = Case.objects.visible_to(request.user).select_related("organisation")
    return get_object_or_404(rows, code=request.GET.get("case", ""))


def _sweep(request: SignedIn, code: str) -> Sweep:
    rows = queries.with_facts(Sweep.objects.visible_to(request.user))
    return get_object_or_404(rows, code=code)


def _form(request: SignedIn, case: Case) -> SweepForm:
    recipe = offers.recipe(request.GET.get("recipe", ""))
    given = request.POST if request.method == "POST" else None
    return SweepForm(given, recipe=recipe, case=case, by=request.user)


def _start(request: SignedIn, form: SweepForm) -> HttpResponse:
    sweep = actions.start(form.wish(), allocation=form.allocation_chosen(), by=request.user)
    messages.success(request, _("The search %(sweep)s has begun.") % {"sweep": sweep})
    return redirect(sweep)

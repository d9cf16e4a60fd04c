"""The pages of runs: parse, call one action, show."""

from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST, require_safe

from fabriek.cases.models import Case
from fabriek.kernel.paging import paginate
from fabriek.kernel.words import number
from fabriek.people.http import SignedIn
from fabriek.runs import (
    actions,
    evaluated,
    expected_start,
    facts,
    first_answers,
    inputs,
    made,
    offers,
    queries,
    rules,
    samples,
    saved,
    show,
    waits,
)
from fabriek.runs.forms import RunForm
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek_recipes.recipe import catalogue

NOTHING_NEW = 204
TO_MEND = 422
STEP_DIGITS = 18


@login_required
@require_safe
def index(request: SignedIn) -> HttpResponse:
    asked = {name: request.GET.get(name, "") for name in ("q", "state", "sort")}
    rows = queries.listing(request.user, **asked)
    page = queries.page_of(rows, request.GET.get("page", "1"))
    titles = offers.titles()
    lines = [
        (
            run,
            titles.get(run.recipe, run.recipe),
            waits.sentence(run.queue_position, run.waiting_reason),
            expected_start.about(run.starts_expected_at),
        )
        for run in page.items
    ]
    return render(
        request,
        "runs/list.html",
        {"page": page, "lines": lines, "states": RunState.choices, **asked},
    )


@login_required
def new(request: SignedIn) -> HttpResponse:
    """Choose the case, choose the recipe, fill in the form: three addresses of one page."""
    like = _like(request)
    case = _case(request, like)
    if case is None:
        return _choose_case(request)
    rules.require_ask(request.user, case)
    name = request.GET.get("recipe") or (like.recipe if like else "")
    if not name:
        return render(request, "runs/choose.html", {"case": case, "recipes": offers.recipes()})
    recipe = offers.recipe(name)
    form = RunForm(
        request.POST if request.method == "POST" else None,
        recipe=recipe,
        case=case,
        by=request.user,
        like=like,
        named=request.GET.dict(),
    )
    if not form.is_bound:
        form.look()
    elif form.is_valid() and "look" not in request.POST:
        return _start(request, form)
    context = {"form": form, "case": case, "recipe": recipe, "like": like}
    return render(request, "runs/new.html", context, status=TO_MEND if form.errors else 200)


@login_required
@require_POST
def price(request: SignedIn) -> HttpResponse:
    """Show the part of the form that says what the run costs, for htmx."""
    like = _like(request)
    case = _case(request, like)
    if case is None:
        raise Http404
    rules.require_ask(request.user, case)
    recipe = offers.recipe(request.GET.get("recipe") or (like.recipe if like else ""))
    form = RunForm(request.POST, recipe=recipe, case=case, by=request.user)
    form.is_valid()
    return render(request, "runs/_price.html", {"form": form, "wrong": True})


@login_required
@require_safe
def detail(request: SignedIn, code: str) -> HttpResponse:
    run = _looked_at(request, code)
    inside = rules.may_see_inside(request.user, run)
    buttons = show.buttons(request.user, run, inside=inside)
    main = show.main(run, buttons)
    context = {
        "run": run,
        "inside": inside,
        "recipe_title": show.recipe_title(run),
        "main": main,
        "onward_note": show.onward(run, buttons),
        "buttons": [one for one in buttons if one is not main],
        "live": show.live(run, request.user, inside=inside),
        "failure": show.failure(run, request.user, inside=inside),
        "facts": facts.of(run, inside=inside),
        "bill": facts.bill(run),
    }
    if inside:
        is_lent = bool(run.scores) and inputs.is_lent(run)
        # It names columns and rows: of data of others, what goes out is told by the model.
        found = evaluated.of_run(run) if run.scores and not is_lent else None
        if found and not made.may_read_rows(run, request.user):
            found = found.without_rows()
        context |= {
            "scores": show.scores(run, found) if run.scores else None,
            "evaluation": evaluated.shown(found),
            "is_lent": is_lent,
            "made": _made(request, run),
            "saved": saved.shown(run, request.user),
            "first_answers": first_answers.shown(run, request.user),
            "knobs": facts.knobs(run),
            "inputs": inputs.shown(run, request.user),
            "samples": samples.latest(run, request.user),
            "checkpoints": show.checkpoints(run),
        }
    return render(request, "runs/detail.html", context)


@login_required
@require_GET
def live(request: SignedIn, code: str) -> HttpResponse:
    """Show the part of the page that changes; a run that ended reloads the whole page."""
    run = _looked_at(request, code)
    if not run.is_unfinished:
        return HttpResponse(headers={"HX-Refresh": "true"})
    if request.GET.get("seen") == show.seen(run):
        return HttpResponse(status=NOTHING_NEW)
    inside = rules.may_see_inside(request.user, run)
    context = {
        "run": run,
        "inside": inside,
        "live": show.live(run, request.user, inside=inside),
        "samples": samples.latest(run, request.user) if inside else (),
    }
    return render(request, "runs/_live.html", context)


@login_required
@require_POST
def cancel(request: SignedIn, code: str) -> HttpResponse:
    run = actions.cancel(_run(request, code), by=request.user)
    messages.success(request, _("The run is being stopped. This takes a few seconds."))
    return redirect(run)


@login_required
@require_POST
def pause(request: SignedIn, code: str) -> HttpResponse:
    run = actions.pause(_run(request, code), by=request.user)
    messages.success(request, _("The run is saving what it learned, and is paused then."))
    return redirect(run)


@login_required
@require_POST
def go_on(request: SignedIn, code: str) -> HttpResponse:
    given = request.POST.get("step", "")
    step = (
        int(given)
        if given.isascii() and given.isdigit() and len(given) <= STEP_DIGITS
        else None
    )
    run = actions.go_on(_run(request, code), by=request.user, from_step=step)
    said = _("The run goes on from its last checkpoint, as %(run)s.") % {"run": run}
    if step is not None:
        said = _("The run goes on from step %(step)s, as %(run)s.") % {
            "run": run,
            "step": number(step),
        }
    messages.success(request, said)
    return redirect(run)


def _made(request: SignedIn, run: Run) -> made.MadeFiles:
    page = request.GET.get("made", "")
    is_number = page.isascii() and page.isdigit() and len(page) <= STEP_DIGITS
    if not rules.leaves_files(run):
        return made.MadeFiles()
    return made.files(run, page=int(page) if is_number else 1)


def _run(request: SignedIn, code: str) -> Run:
    rows = queries.with_facts(Run.objects.visible_to(request.user))
    return get_object_or_404(rows, code=code)


def _looked_at(request: SignedIn, code: str) -> Run:
    rows = queries.for_page(Run.objects.visible_to(request.user))
    return get_object_or_404(rows, code=code)


def _like(request: SignedIn) -> Run | None:
    """Find the run whose settings are proposed, for somebody who may see them."""
    code = request.GET.get("like", "")
    if not code:
        return None
    rows = Run.objects.seen_inside_by(request.user).select_related("case")
    return get_object_or_404(rows.prefetch_related("inputs__revision__repository"), code=code)


def _case(request: SignedIn, like: Run | None) -> Case | None:
    code = request.GET.get("case", "")
    if code:
        rows = Case.objects.visible_to(request.user).select_related("organisation")
        return get_object_or_404(rows, code=code)
    return like.case if like else None


def _choose_case(request: SignedIn) -> HttpResponse:
    recipe = request.GET.get("recipe", "")
    asked = {"recipe": recipe} if recipe in catalogue() else {}
    cases = paginate(queries.cases_to_run_for(request.user), request.GET.get("page", 1))
    if cases.count == 1:
        return redirect(f"{request.path}?{urlencode({**asked, 'case': cases.items[0].code})}")
    context = {"page": cases, "asked": f"&{urlencode(asked)}" if asked else ""}
    return render(request, "runs/choose_case.html", context)


def _start(request: SignedIn, form: RunForm) -> HttpResponse:
    run = actions.ask(form.wish(), allocation=form.allocation_chosen(), by=request.user)
    said = _("%(run)s is on its way to the machine.")
    if run.is_dry:
        said = _("The dry run %(run)s is on its way. When it is over, the price is corrected.")
    messages.success(request, said % {"run": run})
    return redirect(run)

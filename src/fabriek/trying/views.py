"""The pages of trying a model: parse, call one action, show.

What is asked and answered is shown to one person, and no browser keeps a copy of these pages.
"""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST, require_safe

from fabriek.people.http import SignedIn
from fabriek.registry import queries as registry
from fabriek.registry.models import Model
from fabriek.runs.models import Run
from fabriek.trying import actions, examples, queries, rules, show
from fabriek.trying.forms import QuestionForm, StartForm

NOTHING_NEW = 204
TO_MEND = 422
ON_PAGE = "talk"


@login_required
def new(request: SignedIn) -> HttpResponse:
    """Say what it costs and for how long; one press begins."""
    rows = registry.shown(request.user)
    model = get_object_or_404(rows, code=request.GET.get("model", ""))
    rules.require_language(model)
    going_on = queries.of_model(queries.unfinished(request.user), model).first()
    if going_on:
        return redirect("trying:session", going_on.code)
    is_sent = request.method == "POST"
    form = StartForm(request.POST if is_sent else None, model=model, by=request.user)
    if form.is_bound and form.allocations and form.is_valid():
        return _start(request, model, form)
    context = {"form": form, "model": model, "base": None, "without_base": ""}
    if form.allocations:
        if not form.is_bound:
            form.look()
        paying = next(iter(form.allocations.values()))
        found = actions.inputs_for(model, case=paying.case, by=request.user)
        context |= {
            "has_base": "base" in found.revisions,
            "without_base": found.without_base,
            "idle_minutes": actions.IDLE_MINUTES,
        }
    status = TO_MEND if form.is_bound and form.errors else 200
    return render(request, "trying/new.html", context, status=status)


@login_required
@require_safe
@never_cache
def session(request: SignedIn, code: str) -> HttpResponse:
    run = _mine(request, code)
    return _page(request, run, None)


@login_required
@require_GET
@never_cache
def live(request: SignedIn, code: str) -> HttpResponse:
    """Show the part that changes; another phase loads the whole page again."""
    run = _mine(request, code)
    shown = show.session(run, request.user)
    if request.GET.get("phase", "") != shown.phase or shown.denied:
        return HttpResponse(headers={"HX-Refresh": "true"})
    if request.GET.get("seen") == shown.seen:
        return HttpResponse(status=NOTHING_NEW)
    return render(request, "trying/_live.html", {"session": shown})


@login_required
@require_POST
@never_cache
def ask(request: SignedIn, code: str) -> HttpResponse:
    run = _mine(request, code)
    form = QuestionForm(request.POST)
    if not form.is_valid():
        if not request.htmx:
            return _page(request, run, form)
        context = {"form": form, "code": run.code}
        answer = render(request, "trying/_ask.html", context, status=TO_MEND)
        answer["HX-Retarget"], answer["HX-Reswap"] = "#ask", "outerHTML"
        return answer
    actions.ask(run, form.given(), by=request.user)
    return _moved_on(request, run)


@login_required
@require_POST
@never_cache
def stop(request: SignedIn, code: str) -> HttpResponse:
    """Stop the answer that is being written."""
    run = _mine(request, code)
    actions.stop(run, by=request.user)
    return _moved_on(request, run)


@login_required
@require_POST
def end(request: SignedIn, code: str) -> HttpResponse:
    run = actions.end(_mine(request, code), by=request.user)
    messages.success(request, _("The session ends. What is left of its time comes back."))
    return redirect("trying:session", run.code)


def _start(request: SignedIn, model: Model, form: StartForm) -> HttpResponse:
    paid = form.allocation_chosen()
    run = actions.start(model, form.wish(), allocation=paid, by=request.user)
    return redirect("trying:session", run.code)


def _moved_on(request: SignedIn, run: Run) -> HttpResponse:
    if request.htmx:
        shown = show.session(run, request.user)
        return render(request, "trying/_live.html", {"session": shown})
    return redirect(f"{request.path.rsplit('/', 1)[0]}/#{ON_PAGE}")


def _page(request: SignedIn, run: Run, form: QuestionForm | None) -> HttpResponse:
    shown = show.session(run, request.user)
    model = queries.tried(run, request.user)
    found = examples.of(model, request.user) if model and shown.phase == show.OPEN else []
    context = {
        "session": shown,
        "run": run,
        "model": model,
        "examples": found,
        "form": form or QuestionForm(initial=_initial(request, found, shown)),
        "code": run.code,
        "again": show.again(model) if model else "",
        "evaluate": show.evaluate(model, run) if model else "",
        "train_on": show.train_on(model, run) if model else "",
    }
    status = TO_MEND if form and form.errors else 200
    return render(request, "trying/session.html", context, status=status)


def _initial(
    request: SignedIn, found: list[examples.Example], shown: show.Session
) -> dict[str, object]:
    """Fill in the example that was chosen, and the settings of the question before.

    An example is a row by itself: it goes on with nothing, unless its reader says so.
    """
    chosen = request.GET.get("example", "")
    numbers = {str(number): one.prompt for number, one in enumerate(found)}
    last = shown.last
    before = (
        {
            "system": last.system,
            "temperature": last.temperature,
            "tokens_max": last.tokens_max,
            "seed": last.seed,
            "goes_on": bool(last.since) and chosen not in numbers,
        }
        if last
        else {}
    )
    return before | ({"prompt": numbers[chosen]} if chosen in numbers else {})


def _mine(request: SignedIn, code: str) -> Run:
    return get_object_or_404(queries.mine(request.user), code=code)

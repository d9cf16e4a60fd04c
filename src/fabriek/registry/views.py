"""Pages of models: parse, call one action, show."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_safe

from fabriek.agreements.policy import Decision
from fabriek.datasets import walk
from fabriek.datasets.attachment import attachment
from fabriek.kernel.facts import Fact
from fabriek.kernel.paging import paginate
from fabriek.people.http import SignedIn
from fabriek.people.models import Person
from fabriek.registry import (
    actions,
    bound,
    for_everybody,
    law,
    opening,
    origin,
    queries,
    rules,
    scores,
    show,
    signing_told,
    unfinished,
)
from fabriek.registry.models import Model
from fabriek.runs import evaluated, scored
from fabriek.store import shown_card
from fabriek_recipes import evaluation

REJECTIONS_SHOWN = 10


@require_safe
@login_required
def index(request: SignedIn) -> HttpResponse:
    q = request.GET.get("q", "").strip()
    page = paginate(queries.listing(request.user, q), request.GET.get("page", 1))
    rejected = queries.rejections(request.user, q)[:REJECTIONS_SHOWN]
    context = {
        "page": page,
        "q": q,
        "lines": [(model, _first_score(model, request.user)) for model in page.items],
        "rejections": list(rejected) if page.page == 1 else [],
        "unfinished": unfinished.of(request.user, q) if page.page == 1 else [],
    }
    return render(request, "registry/list.html", context)


@require_safe
@login_required
def detail(request: SignedIn, code: str) -> HttpResponse:
    rows = queries.told(queries.shown(request.user))
    model = get_object_or_404(rows, code=code)
    release = rules.release(request.user, model)
    is_ours = model.is_ours  # type: ignore[attr-defined]
    known = is_ours or release.allowed
    tells = rules.tells_figures(request.user, model)
    # Names of columns and labels are of the data: for whom its files may go out.
    found = evaluation.of(model.evaluation) if release.allowed else None
    may_open = opening.may_open(request.user, model)
    context = {
        "model": model,
        "is_ours": is_ours,
        "release": release,
        "steps": rules.next_steps(request.user, model, part=is_ours, goes_out=release.allowed),
        "scores": scored.table(model.scores, found) if model.scores and tells else None,
        "is_own_code": show.is_by_own_code(model),
        "evaluation": evaluated.shown(found),
        "facts": _facts(model, request.user, release) if tells else [],
        "card": shown_card.as_html(model.card)
        if tells and bound.tells(model, request.user)
        else "",
        "chains": origin.chains(model, request.user),
        "files": walk.of(model.revision if known else None, request.GET),
        "pull": f"fabriek models pull {model.code}",
        "load": show.load(model),
        "library": show.library(model),
        "known": known,
        "law": law.facts(model),
        "signed": signing_told.of(model) if known else None,
        "may_open": may_open,
        "taken_back": is_ours and bound.taken_back(model),
        "told_already": for_everybody.told_already(model) if may_open else "",
    }
    return render(request, "registry/detail.html", context)


@require_GET
@login_required
def download(request: SignedIn, code: str, path: str) -> HttpResponseBase:
    model = _model(request, code)
    # Before the file is looked for: who may not have it is not told which names there are.
    rules.require_download(request.user, model, revision=model.revision.number)
    file = get_object_or_404(model.revision.files.select_related("blob"), path=path)
    return attachment(actions.download(model, file, by=request.user))


def _first_score(model: Model, person: Person) -> list[scores.Score]:
    return scores.pairs(model.scores)[:1] if rules.tells_figures(person, model) else []


def _facts(model: Model, person: Person, release: Decision) -> list[Fact]:
    told = bound.facts(model, person) if release.agreement else []
    return [*show.facts(model, person), *told]


def _model(request: SignedIn, code: str) -> Model:
    return get_object_or_404(queries.shown(request.user), code=code)

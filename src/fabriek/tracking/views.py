"""Pages of tracked runs: parse, ask, show."""

from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from fabriek.cases.models import Case
from fabriek.cases.rules import takes_part
from fabriek.kernel.paging import paginate
from fabriek.people.http import SignedIn
from fabriek.runs.show import recipe_title
from fabriek.tracking import artifact_routes, comparing, queries, show
from fabriek.tracking.doors import KEY, UUID, number_of
from fabriek.tracking.models import Artifact, Tracked
from fabriek.tracking.refusals import storable

FACTORY_RUNS_SHOWN = 25


@login_required
@require_safe
def index(request: SignedIn, code: str) -> HttpResponse:
    case = get_object_or_404(Case.objects.visible_to(request.user), code=code)
    if not takes_part(request.user, case):
        return render(request, "tracking/outside.html", {"case": case})
    page = paginate(queries.tracked_of(case), request.GET.get("page", "1"))
    marked = [one for one in _marked(request) if UUID.fullmatch(one)][: comparing.MOST]
    runs = queries.runs_to_compare(
        case, request.user, newest=FACTORY_RUNS_SHOWN, also=[KEY.format(one) for one in marked]
    )
    context = {
        "case": case,
        "page": page,
        "lines": [show.line(one) for one in page.items],
        "factory_runs": [(number_of(one), one, recipe_title(one)) for one in runs],
        "marked": marked,
        "set_up": show.set_up(case),
    }
    return render(request, "tracking/list.html", context)


@login_required
@require_safe
def detail(request: SignedIn, number: str) -> HttpResponse:
    tracked = _inside(request, number)
    q = request.GET.get("q", "")
    context = {"tracked": tracked, "case": tracked.case, "q": q}
    context |= show.page_of(tracked, q=q, page=request.GET.get("page", "1"))
    return render(request, "tracking/detail.html", context)


@login_required
@require_safe
def file(request: SignedIn, number: str, path: str) -> HttpResponseBase:
    if storable(path) != path:
        raise Http404
    rows = Artifact.objects.select_related("tracked")
    artifact = get_object_or_404(rows, tracked=_inside(request, number), path=path)
    return artifact_routes.sent(artifact)


@login_required
@require_safe
def compare(request: SignedIn, code: str) -> HttpResponse:
    case = get_object_or_404(Case.objects.taken_part_in_by(request.user), code=code)
    asked = _marked(request)
    chosen = comparing.chosen(case, asked, by=request.user)
    if chosen is None:
        raise Http404
    q, page = request.GET.get("q", ""), request.GET.get("page", "1")
    context = {
        "case": case,
        "q": q,
        "left_out": len(asked) - len(chosen),
        "marks": "?" + urlencode([("run", one) for one in asked]),
        **comparing.page_of(chosen, q=q, page=page),
    }
    return render(request, "tracking/compare.html", context)


def _marked(request: SignedIn) -> list[str]:
    """Give the numbers of the runs that were marked, each once; a key of ours is one too."""
    given = (one.removeprefix(KEY.format("")) for one in request.GET.getlist("run"))
    return list(dict.fromkeys(filter(None, given)))


def _inside(request: SignedIn, number: str) -> Tracked:
    rows = Tracked.objects.inside(request.user).select_related("case", "experiment", "made_by")
    return get_object_or_404(rows, uuid=number, run=None)

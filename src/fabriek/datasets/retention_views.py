"""The page on which an owner lets old revisions go: chosen, told what that does, done."""

from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fabriek.datasets import finding, retention
from fabriek.datasets.models import Dataset
from fabriek.kernel import numbers, words
from fabriek.kernel.errors import Invalid
from fabriek.kernel.paging import PAGE_SIZE, Paged
from fabriek.people.http import SignedIn
from fabriek.store.retention import Line, Plan, Wish

ANY = Wish(older_than=timedelta(0))


@login_required
def drop(request: SignedIn, code: str) -> HttpResponse:
    """Tick, look again, and only then remove: three steps of one address."""
    dataset = finding.dataset(code, request.user)
    if request.method != "POST":
        return _choose(request, dataset)
    ticked = [numbers.read(one) or 0 for one in request.POST.getlist("number")]
    if not ticked:
        raise Invalid(
            _("Tick the revisions that should go, then press the button."), code="none"
        )
    wish = Wish(numbers=ticked)
    if request.POST.get("sure") != "yes":
        return _ask(request, dataset, wish)
    done = retention.drop(dataset, wish, by=request.user, why=request.POST.get("why", ""))
    messages.success(request, _said(done))
    return redirect("datasets:drop", code=dataset.code)


def _choose(request: SignedIn, dataset: Dataset) -> HttpResponse:
    plan = retention.plan(dataset, ANY, by=request.user)
    lines = sorted([*plan.go, *plan.stay], key=lambda one: -one.revision.number)
    context = {"dataset": dataset, "plan": plan, "lines": _page(request, lines)}
    return render(request, "datasets/drop.html", context)


def _ask(request: SignedIn, dataset: Dataset, wish: Wish) -> HttpResponse:
    plan = retention.plan(dataset, wish, by=request.user)
    held = [one for one in plan.stay if one.revision.number in wish.numbers]
    context = {"dataset": dataset, "plan": plan, "held": held}
    return render(request, "datasets/drop_sure.html", context)


def _said(done: Plan) -> str:
    if not done.go:
        return _("Nothing was removed: what you chose is needed, or was gone already.")
    return ngettext(
        "%(count)d revision is removed. %(size)s comes free within a day or two.",
        "%(count)d revisions are removed. %(size)s comes free within a day or two.",
        len(done.go),
    ) % {"count": len(done.go), "size": words.size(done.freed_bytes)}


def _page(request: SignedIn, lines: list[Line]) -> Paged[Line]:
    last = max(1, -(-len(lines) // PAGE_SIZE))
    page = min(max(1, numbers.read(request.GET.get("page", "")[:9]) or 1), last)
    shown = lines[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    return Paged(items=shown, count=len(lines), page=page, size=PAGE_SIZE)

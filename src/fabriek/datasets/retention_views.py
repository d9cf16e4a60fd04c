"""The page on which an owner lets old revisions go: chosen, told what that does, done."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render

from fabriek.datasets import dropping, finding, retention
from fabriek.datasets.models import Dataset
from fabriek.people.http import SignedIn
from fabriek.store.retention import Wish


@login_required
def drop(request: SignedIn, code: str) -> HttpResponse:
    """Tick, look again, and only then remove: three steps of one address."""
    dataset = finding.dataset(code, request.user)
    if request.method != "POST":
        return _choose(request, dataset)
    wish = dropping.ticked(request)
    if request.POST.get("sure") != "yes":
        return _ask(request, dataset, wish)
    done = retention.drop(dataset, wish, by=request.user, why=request.POST.get("why", ""))
    messages.success(request, dropping.said(done))
    return redirect("datasets:drop", code=dataset.code)


def _choose(request: SignedIn, dataset: Dataset) -> HttpResponse:
    plan = retention.plan(dataset, dropping.ANY, by=request.user)
    context = {"dataset": dataset, "plan": plan, "lines": dropping.page(request, plan)}
    return render(request, "datasets/drop.html", context)


def _ask(request: SignedIn, dataset: Dataset, wish: Wish) -> HttpResponse:
    plan = retention.plan(dataset, wish, by=request.user)
    context = {"dataset": dataset, "plan": plan, "held": dropping.held(plan, wish)}
    return render(request, "datasets/drop_sure.html", context)

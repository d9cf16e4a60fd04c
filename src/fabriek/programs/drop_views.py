"""The page on which a lead lets old revisions of code go: chosen, told what that does, done."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render

from fabriek.datasets import dropping as pages
from fabriek.people.http import SignedIn
from fabriek.programs import dropping, queries
from fabriek.store.models import Repository
from fabriek.store.retention import Wish


@login_required
def drop(request: SignedIn, code: str) -> HttpResponse:
    """Tick, look again, and only then remove: three steps of one address."""
    found = queries.found(code, request.user)
    if request.method != "POST":
        return _choose(request, found)
    wish = pages.ticked(request)
    if request.POST.get("sure") != "yes":
        return _ask(request, found, wish)
    done = dropping.drop(found, wish, by=request.user, why=request.POST.get("why", ""))
    messages.success(request, pages.said(done))
    return redirect("programs:drop", code=found.code)


def _choose(request: SignedIn, code: Repository) -> HttpResponse:
    plan = dropping.plan(code, pages.ANY, by=request.user)
    context = {"code": code, "plan": plan, "lines": pages.page(request, plan)}
    return render(request, "programs/drop.html", context)


def _ask(request: SignedIn, code: Repository, wish: Wish) -> HttpResponse:
    plan = dropping.plan(code, wish, by=request.user)
    context = {"code": code, "plan": plan, "held": pages.held(plan, wish)}
    return render(request, "programs/drop_sure.html", context)

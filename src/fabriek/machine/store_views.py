"""The page of the store, for the staff of the factory: whether all is whole."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from fabriek.machine import rules, store_show
from fabriek.people.http import SignedIn


@login_required
@require_safe
def store(request: SignedIn) -> HttpResponse:
    rules.require_staff_of_store(request.user)
    health = store_show.health(timezone.now())
    context = {"health": health, "summary": store_show.summary(health)}
    return render(request, "machine/store.html", context)

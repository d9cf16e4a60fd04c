"""The page of the machine, for everybody who is signed in: parse, ask, show."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_safe

from fabriek.machine import shares, show, standing
from fabriek.people.http import SignedIn


@login_required
@require_safe
def machine(request: SignedIn) -> HttpResponse:
    year, found = shares.of_the_year()
    context = {
        "now": show.now(request.user, standing.last()),
        "year": year,
        "charts": shares.charts(shares.month_names(year), found),
    }
    return render(request, "machine/machine.html", context)


@login_required
@require_GET
def now(request: SignedIn) -> HttpResponse:
    """Show the part of the page that changes."""
    shown = show.now(request.user, standing.last())
    return render(request, "machine/_now.html", {"now": shown})

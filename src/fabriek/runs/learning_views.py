"""The part of a dataset's page that says which recipes can learn from it; also by itself."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from fabriek.people.http import SignedIn
from fabriek.quality import finding
from fabriek.runs import learning


@login_required
@require_safe
def from_data(request: SignedIn, code: str, number: int) -> HttpResponse:
    found = finding.dataset(code, request.user)
    revision = finding.revision(found, number)
    context = {
        "dataset": found,
        "revision": revision,
        "learning": learning.of(revision, by=request.user),
    }
    part = "runs/_learning.html" if request.htmx else "runs/learning.html"
    return render(request, part, context)

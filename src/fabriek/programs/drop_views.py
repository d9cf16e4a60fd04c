"""The page on which a lead lets old revisions of code go."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse

from fabriek.datasets.dropping import Steps
from fabriek.people.http import SignedIn
from fabriek.programs import dropping, queries

STEPS = Steps(room="programs", name="code", plan=dropping.plan, drop=dropping.drop)


@login_required
def drop(request: SignedIn, code: str) -> HttpResponse:
    return STEPS.answer(request, queries.found(code, request.user))

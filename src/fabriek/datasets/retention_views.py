"""The page on which an owner lets old revisions go."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse

from fabriek.datasets import finding, retention
from fabriek.datasets.dropping import Steps
from fabriek.people.http import SignedIn

STEPS = Steps(room="datasets", name="dataset", plan=retention.plan, drop=retention.drop)


@login_required
def drop(request: SignedIn, code: str) -> HttpResponse:
    return STEPS.answer(request, finding.dataset(code, request.user))

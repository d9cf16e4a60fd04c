"""What the machine says and what the ledger says: a page for the staff of the factory."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from fabriek.machine import drift, drift_words, rules
from fabriek.people.http import SignedIn


@login_required
@require_safe
def books(request: SignedIn) -> HttpResponse:
    rules.require_staff(request.user)
    report = drift.report(timezone.now())
    context = {
        "report": report,
        "summary": drift_words.summary(report),
        "drifting": [drift_words.said(one) for one in report.findings if one.is_drift],
        "settled": [drift_words.said(one) for one in report.findings if not one.is_drift],
    }
    return render(request, "machine/books.html", context)

"""The pages of interactive work: parse, call one action, show."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from fabriek.cases.models import Case
from fabriek.lab import actions, queries
from fabriek.lab.forms import LabForm
from fabriek.people.http import SignedIn
from fabriek.runs import rules as run_rules

TO_MEND = 422
SEE_OTHER = 303


@login_required
def new(request: SignedIn) -> HttpResponse:
    rows = Case.objects.visible_to(request.user).select_related("organisation")
    case = get_object_or_404(rows, code=request.GET.get("case", ""))
    run_rules.require_ask(request.user, case)
    actions.require_offered()
    form = LabForm(
        request.POST if request.method == "POST" else None,
        case=case,
        by=request.user,
        proposed=request.GET.get("from", ""),
    )
    if form.is_bound and form.is_valid():
        return _start(request, form)
    context = {"form": form, "case": case}
    return render(request, "lab/new.html", context, status=TO_MEND if form.errors else 200)


@login_required
@require_POST
def enter(request: SignedIn, code: str) -> HttpResponse:
    """Send somebody on to the host of the run, with a ticket."""
    rows = queries.labs(request.user).select_related("case")
    run = get_object_or_404(rows, code=code)
    right = actions.Right(session_key=request.session.session_key or "")
    address = actions.enter(run, by=request.user, right=right)
    return HttpResponse(status=SEE_OTHER, headers={"Location": address})


def _start(request: SignedIn, form: LabForm) -> HttpResponse:
    run = actions.start(form.wish(), allocation=form.allocation_chosen(), by=request.user)
    messages.success(request, _("%(run)s is on its way to the machine.") % {"run": run})
    return redirect(run)

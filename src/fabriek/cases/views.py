"""Pages of cases: parse, call one action, show."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from fabriek.cases import actions, ending, queries, rules
from fabriek.cases.forms import CaseForm, IntakeForm, NewCaseForm, PartnerForm
from fabriek.cases.models import Case, Partner
from fabriek.cases.states import CaseState
from fabriek.kernel.errors import Text
from fabriek.kernel.paging import paginate
from fabriek.people.http import SignedIn

ENDINGS: dict[str, Callable[..., Case]] = {
    "close": actions.close,
    "withdraw": actions.withdraw,
}
ANSWERS: dict[str, tuple[Callable[..., Partner], Text]] = {
    "accept": (actions.accept, _("Your organisation takes part in this case.")),
    "decline": (actions.decline, _("You declined the invitation.")),
    "leave": (actions.leave, _("Your organisation left the consortium.")),
    "invite_again": (actions.invite_again, _("The organisation is invited again.")),
}


@login_required
def list_(request: SignedIn) -> HttpResponse:
    asked = {name: request.GET.get(name, "") for name in ("q", "state", "sort")}
    page = paginate(queries.listing(request.user, **asked), request.GET.get("page", 1))
    context = asked | {
        "page": page,
        "states": CaseState.choices,
        "invitations": queries.invitations_shown(request.user),
        "may_draft": bool(request.user.organisation_ids),
    }
    return render(request, "cases/list.html", context)


@login_required
def new(request: SignedIn) -> HttpResponse:
    if not request.user.organisation_ids:
        return render(request, "cases/new_needs_organisation.html")
    form = NewCaseForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        organisation = form.cleaned_data.pop("organisation")
        case = actions.draft(organisation, by=request.user, **form.cleaned_data)
        messages.success(request, _("The draft is saved. Nothing is asked of the factory yet."))
        return redirect(case)
    return render(request, "cases/new.html", {"form": form})


@login_required
def detail(request: SignedIn, code: str) -> HttpResponse:
    case = _case(request, code)
    partners = [
        (partner, rules.next_steps_of_partner(request.user, partner))
        for partner in queries.partners_of(case)
    ]
    context = {
        "case": case,
        "next_steps": rules.next_steps(request.user, case),
        "partners": partners,
        "timeline": queries.timeline(case.thread),
    }
    return render(request, "cases/detail.html", context)


@login_required
def edit(request: SignedIn, code: str) -> HttpResponse:
    case = _case(request, code)
    rules.require("edit", request.user, case)
    rules.require_live(case)
    now = {name: getattr(case, name) for name in CaseForm.Meta.fields}
    form = CaseForm(request.POST or None, initial=now)
    if request.method == "POST" and form.is_valid():
        actions.edit(case, by=request.user, **form.cleaned_data)
        messages.success(request, _("The case is saved."))
        return redirect(case)
    return render(request, "cases/edit.html", {"case": case, "form": form})


@login_required
@require_POST
def propose(request: SignedIn, code: str) -> HttpResponse:
    case = actions.propose(_case(request, code), by=request.user)
    messages.success(request, _("The case is proposed. The factory sees it now."))
    return redirect(case)


@login_required
def close(request: SignedIn, code: str) -> HttpResponse:
    return _end(request, code, "close")


@login_required
def withdraw(request: SignedIn, code: str) -> HttpResponse:
    return _end(request, code, "withdraw")


@login_required
def invite(request: SignedIn, code: str) -> HttpResponse:
    case = _case(request, code)
    rules.require("invite", request.user, case)
    rules.require_live(case)
    form = PartnerForm(case, request.POST or None)
    if request.method == "POST" and form.is_valid():
        partner = actions.invite(
            case,
            form.cleaned_data["who"],
            part=form.cleaned_data["part"],
            message=form.cleaned_data["message"],
            by=request.user,
        )
        said = _("%(organisation)s is invited. One of its leads answers.")
        messages.success(request, said % {"organisation": partner.organisation})
        return redirect(case)
    return render(request, "cases/invite.html", {"case": case, "form": form})


@login_required
def intake(request: SignedIn, code: str) -> HttpResponse:
    case = _case(request, code)
    rules.require("intake", request.user, case)
    rules.require_live(case)
    earlier = getattr(case, "intake", None)
    now = {name: getattr(earlier, name) for name in IntakeForm.Meta.fields} if earlier else None
    form = IntakeForm(request.POST or None, initial=now)
    if request.method == "POST" and form.is_valid():
        actions.answer_intake(case, by=request.user, **form.cleaned_data)
        messages.success(request, _("Your answers are saved. Read the advice below."))
        return redirect(case)
    return render(request, "cases/intake.html", {"case": case, "form": form})


@login_required
def invitation(request: SignedIn, pk: int) -> HttpResponse:
    """Show the title and who invites, and no more: the case itself opens after accepting."""
    rows = Partner.objects.addressed_to(request.user)
    partner = get_object_or_404(
        rows.select_related("case__organisation", "organisation", "invited_by"), pk=pk
    )
    steps = rules.next_steps_of_partner(request.user, partner)
    return render(request, "cases/invitation.html", {"partner": partner, "next_steps": steps})


@login_required
@require_POST
def partner_step(request: SignedIn, pk: int, step: str) -> HttpResponse:
    if step not in ANSWERS:
        raise Http404
    rows = Partner.objects.visible_to(request.user).select_related("case", "organisation")
    action, said = ANSWERS[step]
    partner = action(get_object_or_404(rows, pk=pk), by=request.user)
    messages.success(request, str(said))
    return redirect("cases:list") if step in {"decline", "leave"} else redirect(partner.case)


def _case(request: SignedIn, code: str) -> Case:
    cases = queries.with_facts(Case.objects.visible_to(request.user))
    return get_object_or_404(cases, code=code)


def _end(request: SignedIn, code: str, step: str) -> HttpResponse:
    case = _case(request, code)
    rules.require(step, request.user, case)
    if request.method != "POST":
        context = {"case": case, "obstacles": ending.obstacles(case)}
        return render(request, f"cases/{step}.html", context)
    ENDINGS[step](case, by=request.user)
    messages.success(request, _("The case is over. You can still read everything."))
    return redirect(case)

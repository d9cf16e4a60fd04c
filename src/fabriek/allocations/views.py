"""Pages of GPU-hours: parse, call one action, show."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fabriek.allocations import actions, outlook, queries, rules
from fabriek.allocations.forms import ExtendForm, GrantForm
from fabriek.allocations.models import Allocation
from fabriek.allocations.words import change_in_left, line_said, note_said, signed_hours
from fabriek.kernel.paging import paginate
from fabriek.kernel.words import day
from fabriek.people.http import SignedIn

STATES = [("open", _("can be used now")), ("ended", _("ended"))]
# Enough to work on; the rest comes up as these are opened.
MOST_WAITING = 20


@login_required
def list_(request: SignedIn) -> HttpResponse:
    asked = {name: request.GET.get(name, "") for name in ("q", "state", "sort")}
    page = paginate(queries.listing(request.user, **asked), request.GET.get("page", 1))
    staff = request.user.is_factory_staff
    context = asked | {
        "page": page,
        "states": STATES,
        "waiting": list(queries.awaiting_grant()[:MOST_WAITING]) if staff else [],
        "today": timezone.localdate(),
    }
    return render(request, "allocations/list.html", context)


@login_required
def detail(request: SignedIn, account: str) -> HttpResponse:
    rows = queries.for_page(Allocation.objects.visible_to(request.user))
    allocation = get_object_or_404(rows, account=account)
    page = paginate(queries.lines_of(allocation), request.GET.get("page", 1))
    context = {
        "allocation": allocation,
        "next_steps": rules.next_steps(request.user, allocation),
        "notices": outlook.notices(allocation, timezone.localdate()),
        "grants": queries.grants_of(allocation),
        "page": page,
        "lines": [
            (line, line_said(line), note_said(line), signed_hours(change_in_left(line)))
            for line in page.items
        ],
        "has_ended": allocation.ends_on < timezone.localdate(),
        "starts_later": allocation.starts_on > timezone.localdate(),
    }
    return render(request, "allocations/detail.html", context)


@login_required
def grant(request: SignedIn, code: str) -> HttpResponse:
    rules.require_staff(request.user)
    decision = get_object_or_404(queries.awards(), application__code=code)
    if hasattr(decision, "allocation"):
        return redirect(decision.allocation)
    rules.require_grant(request.user, decision)
    form = GrantForm(decision, request.POST or None)
    if request.method == "POST" and form.is_valid():
        allocation = actions.grant(decision, by=request.user, **form.cleaned_data)
        messages.success(request, _opened(allocation))
        return redirect(allocation)
    return render(request, "allocations/grant.html", {"decision": decision, "form": form})


@login_required
def extend(request: SignedIn, account: str) -> HttpResponse:
    allocation = _allocation(request, account)
    rules.require_grant(request.user, allocation.decision)
    form = ExtendForm(allocation, request.POST or None)
    if request.method == "POST" and form.is_valid():
        actions.extend(
            allocation,
            ends_on=form.cleaned_data["ends_on"],
            share=form.cleaned_data["share"],
            gpu_hours=form.cleaned_data["gpu_hours"] or 0,
            by=request.user,
        )
        messages.success(request, _("There is more time now. The organisation is told."))
        return redirect(allocation)
    return render(request, "allocations/extend.html", {"allocation": allocation, "form": form})


def _opened(allocation: Allocation) -> str:
    if allocation.starts_on <= timezone.localdate():
        return gettext("The GPU-hours are open. The organisation is told.")
    return gettext("The GPU-hours can be used from %(day)s on. The organisation is told.") % {
        "day": day(allocation.starts_on)
    }


def _allocation(request: SignedIn, account: str) -> Allocation:
    rows = queries.with_facts(Allocation.objects.visible_to(request.user))
    return get_object_or_404(rows, account=account)

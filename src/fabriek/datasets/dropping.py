"""The page on which old revisions of data or code go: chosen, told what that does, done."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fabriek.datasets.models import Dataset
from fabriek.kernel import numbers, words
from fabriek.kernel.errors import Invalid
from fabriek.kernel.paging import PAGE_SIZE, Paged
from fabriek.people.http import SignedIn
from fabriek.store.models import Repository
from fabriek.store.retention import Line, Plan, Wish

ANY = Wish(older_than=timedelta(0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Steps:
    """Tick, look again, and only then remove: three steps of one address of a room.

    `name` is what the room's templates call the thing; `plan` and `drop` say who may.
    """

    room: str
    name: str
    plan: Callable[..., Plan]
    drop: Callable[..., Plan]

    def answer(self, request: SignedIn, one: Dataset | Repository) -> HttpResponse:
        if request.method != "POST":
            plan = self.plan(one, ANY, by=request.user)
            chosen = {self.name: one, "plan": plan, "lines": page(request, plan)}
            return render(request, f"{self.room}/drop.html", chosen)
        wish = ticked(request)
        if request.POST.get("sure") != "yes":
            plan = self.plan(one, wish, by=request.user)
            sure = {self.name: one, "plan": plan, "held": held(plan, wish)}
            return render(request, f"{self.room}/drop_sure.html", sure)
        done = self.drop(one, wish, by=request.user, why=request.POST.get("why", ""))
        messages.success(request, said(done))
        return redirect(f"{self.room}:drop", code=one.code)


def ticked(request: HttpRequest) -> Wish:
    """Read which revisions were ticked. Raises: Invalid, where none was."""
    found = [numbers.read(one) or 0 for one in request.POST.getlist("number")]
    if not found:
        raise Invalid(
            _("Tick the revisions that should go, then press the button."), code="none"
        )
    return Wish(numbers=found)


def held(plan: Plan, wish: Wish) -> list[Line]:
    """Give what was ticked and cannot go."""
    return [one for one in plan.stay if one.revision.number in wish.numbers]


def said(done: Plan) -> str:
    if not done.go:
        return _("Nothing was removed: what you chose is needed, or was gone already.")
    return ngettext(
        "%(count)d revision is removed. %(size)s comes free within a day or two.",
        "%(count)d revisions are removed. %(size)s comes free within a day or two.",
        len(done.go),
    ) % {"count": len(done.go), "size": words.size(done.freed_bytes)}


def page(request: HttpRequest, plan: Plan) -> Paged[Line]:
    """Give the asked page of all revisions, the newest first."""
    lines = sorted([*plan.go, *plan.stay], key=lambda one: -one.revision.number)
    last = max(1, -(-len(lines) // PAGE_SIZE))
    number = min(max(1, numbers.read(request.GET.get("page", "")[:9]) or 1), last)
    shown = lines[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
    return Paged(items=shown, count=len(lines), page=number, size=PAGE_SIZE)

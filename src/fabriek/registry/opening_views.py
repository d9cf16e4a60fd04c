"""The pages on which a lead opens a model to everybody, or closes it again."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from fabriek.people.http import SignedIn
from fabriek.registry import for_everybody, opening, queries
from fabriek.registry.forms import OpenForm
from fabriek.registry.models import Model

TO_MEND = 422


@login_required
def open_up(request: SignedIn, code: str) -> HttpResponse:
    """Say what stands in the way and what it means; with POST, open it."""
    model = _model(request, code)
    opening.require_open(request.user, model)
    found = opening.standing(model)
    hindering = [*found.obstacles, *for_everybody.obstacles(model)]
    given = request.POST if request.method == "POST" else None
    seen = for_everybody.of(model)
    form = OpenForm(given, model=model, seen=seen, asks_why=found.has_personal_data)
    if request.method == "POST" and form.is_valid():
        opening.open_up(model, opening.Said(**form.cleaned_data), by=request.user)
        messages.success(request, _("This model is open to everybody now."))
        return redirect("registry:detail", code=code)
    context = {
        "model": model,
        "obstacles": [str(one) for one in hindering],
        "form": form,
        "seen": seen,
        "last": opening.LAST,
    }
    status = TO_MEND if form.errors else 200
    return render(request, "registry/open.html", context, status=status)


@login_required
@require_POST
def close(request: SignedIn, code: str) -> HttpResponse:
    opening.close(_model(request, code), by=request.user)
    messages.success(request, _("The model is closed. Copies stay copies."))
    return redirect("registry:detail", code=code)


def _model(request: SignedIn, code: str) -> Model:
    return get_object_or_404(queries.shown(request.user), code=code)

"""The page on which an owner opens a dataset to everybody, and the button that closes it."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from fabriek.catalogue import opening, queries, rules
from fabriek.catalogue.forms import OpenForm
from fabriek.datasets.models import Dataset
from fabriek.people.http import SignedIn

TO_MEND = 422


@login_required
def open_up(request: SignedIn, code: str) -> HttpResponse:
    """Say what stands in the way and what it means; with POST, open it."""
    dataset = _dataset(request, code)
    rules.require_list(request.user, dataset)
    standing = opening.standing(queries.record_of(dataset))
    given = request.POST if request.method == "POST" else None
    form = OpenForm(given, asks_why=bool(standing.personal))
    if request.method == "POST" and form.is_valid():
        opening.open_up(dataset, by=request.user, **form.cleaned_data)
        messages.success(request, _("This dataset is open to everybody now."))
        return redirect("catalogue:record", code=code)
    context = {"dataset": dataset, "standing": standing, "form": form, "last": opening.LAST}
    status = TO_MEND if form.errors else 200
    return render(request, "catalogue/open.html", context, status=status)


@login_required
@require_POST
def close(request: SignedIn, code: str) -> HttpResponse:
    opening.close(_dataset(request, code), by=request.user)
    messages.success(
        request, _("The dataset is closed: new use needs an agreement. Copies stay copies.")
    )
    return redirect("catalogue:record", code=code)


def _dataset(request: SignedIn, code: str) -> Dataset:
    rows = Dataset.objects.visible_to(request.user)
    rows = rows.select_related("case__organisation", "repository__organisation")
    return get_object_or_404(rows, code=code)

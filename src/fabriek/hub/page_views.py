"""From the name that programs use to the page of a dataset or a model."""

from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from fabriek.hub import doors, refusals
from fabriek.people.models import Person
from fabriek.store.models import Repository


@login_required
def page(
    request: HttpRequest,
    *,
    namespace: str,
    name: str,
    kind: str | None = None,
    folder: str = "",
) -> HttpResponse:
    """Lead to our page of it, and to a folder of `main` there, as what was sent is called.

    Of a place for a model that is not whole yet it leads to why not.
    """
    if not isinstance(request.user, Person):
        raise Http404
    try:
        found = doors.visible(request.user, kind or "models", namespace, name)
    except refusals.RepoNotFound as error:
        raise Http404 from error
    about = getattr(found, "dataset" if kind else "model", None)
    if about is None and kind is None and found.kind == Repository.Kind.MODEL:
        return redirect(f"{reverse('registry:list')}?{urlencode({'q': found.repo_id})}")
    if about is None:
        raise Http404
    within = f"?{urlencode({'in': folder})}#walk" if folder else ""
    return redirect(f"{about.get_absolute_url()}{within}")

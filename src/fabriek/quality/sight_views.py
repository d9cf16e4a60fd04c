"""One picture or sound of a revision, to who may read it."""

from django.contrib.auth.decorators import login_required
from django.http import Http404
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from fabriek.datasets import actions
from fabriek.datasets import finding as data
from fabriek.datasets.inline import inline
from fabriek.people.http import SignedIn
from fabriek.quality import finding, sights


@login_required
@require_safe
def sight(request: SignedIn, code: str, number: int, path: str) -> HttpResponseBase:
    """Give it as it is; decided and written down as any other file that somebody takes."""
    found = finding.readable(code, request.user)
    file = data.file(data.readable(found, number, by=request.user), path)
    content_type = sights.type_of(file.blob)
    if not content_type:
        raise Http404
    taken = actions.download(found, file, by=request.user)
    return inline(taken, content_type=content_type, asked=request.headers.get("Range", ""))

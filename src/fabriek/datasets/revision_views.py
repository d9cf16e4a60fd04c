"""Pages about revisions: what one changed, and leaving files out of the next."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from fabriek.datasets import actions, changes, queries, rules
from fabriek.datasets.models import Dataset
from fabriek.kernel.errors import Invalid, NotAllowed
from fabriek.kernel.paging import PAGE_SIZE, Paged
from fabriek.people.http import SignedIn
from fabriek.store.models import Revision

COMPARED_WITH = 50
MOST_DIGITS = 9


@login_required
def what_changed(request: SignedIn, code: str, number: int) -> HttpResponse:
    dataset = _dataset(request, code)
    reading = rules.reads(request.user, dataset)
    # Before a revision is looked for: who may not read is not told which there are.
    if not reading.allowed:
        raise NotAllowed(reading.sentence, code=reading.code)
    revision = _revision(dataset, number)
    asked = request.GET.get("since", "")
    since = _revision(dataset, _number(asked)) if asked else revision.parent
    difference = changes.between(since, revision)
    others = dataset.repository.revisions.exclude(pk=revision.pk)
    context = {
        "dataset": dataset,
        "is_ours": reading.code in rules.OUR_OWN,
        "revision": revision,
        "since": since,
        "others": others.only("repository", "number", "message")[:COMPARED_WITH],
        "difference": difference,
        "changes": _page(difference.changes, request.GET.get("page", "1")),
    }
    return render(request, "datasets/changes.html", context)


@login_required
@require_POST
def remove(request: SignedIn, code: str) -> HttpResponse:
    """Ask first, then save a revision without the files that were ticked."""
    dataset = _dataset(request, code)
    rules.require_part(request.user, dataset.case)
    rules.require_open(dataset.case)
    paths = request.POST.getlist("path")
    if not paths:
        raise Invalid(_("Tick the files that should go, then press the button."), code="none")
    number = _number(request.POST.get("parent", "")) or dataset.revision or 0  # type: ignore[attr-defined]
    newest = _revision(dataset, number)
    if request.POST.get("sure") == "yes":
        message = request.POST.get("message", "")
        saved = actions.remove(dataset, paths, by=request.user, message=message, parent=newest)
        said = _("The files are left out of revision %(number)d. Older revisions keep them.")
        messages.success(request, said % {"number": saved.number})
        return redirect(dataset)
    files = newest.files.filter(path__in=paths).select_related("blob")
    context = {"dataset": dataset, "newest": newest, "files": list(files), "message": ""}
    return render(request, "datasets/remove.html", context)


def _page(found: "list[changes.Change]", asked: str) -> Paged[changes.Change]:
    page = min(max(1, _number(asked)), max(1, -(-len(found) // PAGE_SIZE)))
    shown = found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    return Paged(items=shown, count=len(found), page=page, size=PAGE_SIZE)


def _number(typed: str) -> int:
    typed = typed[:MOST_DIGITS]
    return int(typed) if typed.isascii() and typed.isdecimal() else 0


def _dataset(request: SignedIn, code: str) -> Dataset:
    return get_object_or_404(queries.shown(request.user), code=code)


def _revision(dataset: Dataset, number: int) -> Revision:
    revisions = dataset.repository.revisions.select_related("author", "parent")
    return get_object_or_404(revisions, number=number)

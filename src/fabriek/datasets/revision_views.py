"""Pages about revisions: what one changed, and leaving files out of the next."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from fabriek.datasets import actions, as_zip, branches, changes, finding, rules
from fabriek.kernel import numbers, text
from fabriek.kernel.errors import Invalid, NotAllowed
from fabriek.kernel.paging import PAGE_SIZE, Paged, paginate
from fabriek.people.http import SignedIn
from fabriek.store.models import MAIN

COMPARED_WITH = 50
MOST_DIGITS = 9


@login_required
def what_changed(request: SignedIn, code: str, number: int) -> HttpResponse:
    dataset = finding.dataset(code, request.user)
    reading = rules.reads(request.user, dataset)
    # Before a revision is looked for: who may not read is not told which there are.
    if not reading.allowed:
        raise NotAllowed(reading.sentence, code=reading.code)
    revision = finding.revision(dataset, number)
    asked = request.GET.get("since", "")
    since = finding.revision(dataset, numbers.read(asked) or 0) if asked else revision.parent
    difference = changes.between(since, revision)
    others = dataset.repository.revisions.exclude(pk=revision.pk)
    context = {
        "dataset": dataset,
        "is_ours": rules.is_ours(request.user, dataset, reading),
        "revision": revision,
        "since": since,
        "others": others.only("repository", "number", "message", "branch")[:COMPARED_WITH],
        "difference": difference,
        "changes": _page(difference.changes, request.GET.get("page", "1")),
    }
    return render(request, "datasets/changes.html", context)


@login_required
def history(request: SignedIn, code: str) -> HttpResponse:
    """List all revisions that led to a branch or a tag: to `main`, unless one is named."""
    dataset = finding.dataset(code, request.user)
    reading = rules.reads(request.user, dataset)
    if not reading.allowed:
        raise NotAllowed(reading.sentence, code=reading.code)
    branch = request.GET.get("branch", MAIN)
    rows = branches.leading_to(dataset.repository, branch).select_related("author")
    context = {
        "dataset": dataset,
        "is_ours": rules.is_ours(request.user, dataset, reading),
        "branch": branch,
        "page": paginate(rows, request.GET.get("page", "1")),
    }
    return render(request, "datasets/history.html", context)


@login_required
def whole(request: SignedIn, code: str, number: int) -> StreamingHttpResponse:
    """Give all files of a revision as one zip."""
    dataset = finding.dataset(code, request.user)
    chosen = finding.readable(dataset, number, by=request.user)
    pieces = as_zip.give_out(dataset, chosen, by=request.user)
    response = StreamingHttpResponse(pieces, content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{code}-{chosen.number}.zip"'
    response["Cache-Control"] = "private, no-store"
    return response


@login_required
@require_POST
def remove(request: SignedIn, code: str) -> HttpResponse:
    """Ask first, then save a revision without the files that were ticked."""
    dataset = finding.dataset(code, request.user)
    rules.require_part(request.user, dataset.case)
    rules.require_open(dataset.case)
    paths = [text.storable(path) for path in request.POST.getlist("path")]
    if not paths:
        raise Invalid(_("Tick the files that should go, then press the button."), code="none")
    newest = finding.revision(dataset, numbers.read(request.POST.get("parent", "")))
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
    page = min(
        max(1, numbers.read(asked[:MOST_DIGITS]) or 1), max(1, -(-len(found) // PAGE_SIZE))
    )
    shown = found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    return Paged(items=shown, count=len(found), page=page, size=PAGE_SIZE)

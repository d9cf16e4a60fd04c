"""Pages of datasets: parse, call one action, show."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST

from fabriek.agreements.inheritance import made_under
from fabriek.datasets import (
    actions,
    branches,
    card,
    finding,
    preview,
    queries,
    retention,
    rules,
    snippets,
    walk,
)
from fabriek.datasets.attachment import attachment
from fabriek.datasets.forms import DatasetForm, NewDatasetForm, PushForm
from fabriek.datasets.models import Dataset
from fabriek.datasets.uploads import StoreUploadHandler
from fabriek.kernel.errors import NotAllowed
from fabriek.kernel.paging import paginate
from fabriek.people.http import SignedIn
from fabriek.store import front_matter, paths
from fabriek.store import queries as store
from fabriek.store.models import MAIN, Revision

REVISIONS_SHOWN = 20


@login_required
def list_all(request: SignedIn) -> HttpResponse:
    q = request.GET.get("q", "").strip()
    page = paginate(queries.search(request.user, q), request.GET.get("page", "1"))
    context = {"page": page, "q": q}
    context["has_cases"] = bool(page.items) or queries.open_cases(request.user).exists()
    return render(request, "datasets/list.html", context)


@login_required
def new(request: SignedIn) -> HttpResponse:
    form = NewDatasetForm(
        request.POST or None,
        person=request.user,
        initial={"case": request.GET.get("case", "")},
    )
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        dataset = actions.create(given.pop("case"), by=request.user, **given)
        messages.success(request, _("The dataset is made. Now add its files."))
        return redirect(dataset)
    has_cases = queries.open_cases(request.user).exists()
    return render(request, "datasets/new.html", {"form": form, "has_cases": has_cases})


@login_required
def edit(request: SignedIn, code: str) -> HttpResponse:
    dataset = finding.dataset(code, request.user)
    rules.require_part(request.user, dataset.case)
    form = DatasetForm(request.POST or None, initial=DatasetForm.showing(dataset))
    if not rules.may_license(request.user, dataset):
        form.leave_licence_to_leads()
    if request.method == "POST" and form.is_valid():
        actions.edit(dataset, by=request.user, **form.cleaned_data)
        messages.success(request, _("The description is saved."))
        return redirect(dataset)
    return render(request, "datasets/edit.html", {"form": form, "dataset": dataset})


@login_required
def detail(request: SignedIn, code: str) -> HttpResponse:
    dataset = finding.dataset(code, request.user)
    reading = rules.reads(request.user, dataset)
    rows = branches.leading_to(dataset.repository).select_related("author")
    revisions = list(rows[:REVISIONS_SHOWN]) if reading.allowed else []
    newest = revisions[0] if revisions else None
    files = walk.of(newest, request.GET, looks=True)
    context = {
        "dataset": dataset,
        "is_ours": rules.is_ours(request.user, dataset, reading),
        "reading": reading,
        # What is theirs or open without more has no terms of others.
        "made_under": None
        if reading.code in {"own", "open"}
        else made_under(dataset.repository, request.user),
        "steps": rules.next_steps(request.user, dataset),
        "may_drop": retention.may_drop(request.user, dataset),
        "revisions": revisions,
        "branches": branches.beside_main(dataset.repository) if revisions else [],
        "newest": newest,
        "card": card.of(newest) if newest else None,
        "files": files,
        "preview": _preview(request, newest, files),
        "showable": {file.path for file in preview.showable(files.items)},
        "is_by_look": any(preview.is_by_look(file.path) for file in files.looked),
        "form": PushForm(),
        "snippets": snippets.of(dataset),
    }
    return render(request, "datasets/detail.html", context)


@login_required
def revision(request: SignedIn, code: str, number: int) -> HttpResponse:
    dataset = finding.dataset(code, request.user)
    reading = rules.reads(request.user, dataset)
    if not reading.allowed:
        raise NotAllowed(reading.sentence, code=reading.code)
    chosen = finding.revision(dataset, number)
    files = walk.of(chosen, request.GET, looks=True)
    context = {
        "dataset": dataset,
        "is_ours": rules.is_ours(request.user, dataset, reading),
        "revision": chosen,
        "files": files,
        "preview": _preview(request, chosen, files),
        "showable": {file.path for file in preview.showable(files.items)},
        "is_by_look": any(preview.is_by_look(file.path) for file in files.looked),
        "is_newest": chosen.number == dataset.revision,  # type: ignore[attr-defined]
        "is_on_main": chosen.branch == MAIN,
    }
    return render(request, "datasets/revision.html", context)


@login_required
def download(request: SignedIn, code: str, number: int, path: str) -> HttpResponseBase:
    dataset = finding.dataset(code, request.user)
    chosen = finding.readable(dataset, number, by=request.user)
    return attachment(actions.download(dataset, finding.file(chosen, path), by=request.user))


@csrf_exempt
@login_required
@require_POST
def push(request: SignedIn, code: str) -> HttpResponse:
    """See that this person may send at all before a byte of the body is read.

    Django checks the token that is in the form as soon as it reads the form, so that check
    comes after, in `_push`.
    """
    dataset = finding.dataset(code, request.user)
    rules.require_part(request.user, dataset.case)
    rules.require_open(dataset.case)
    handler = StoreUploadHandler(request)
    request.upload_handlers = [handler]
    return _push(request, dataset, handler)


@csrf_protect
def _push(request: SignedIn, dataset: Dataset, handler: StoreUploadHandler) -> HttpResponse:
    folder = request.POST.get("folder", "").strip().strip("/")
    if handler.refusal:
        raise handler.refusal
    named = [(f"{folder}/{name}" if folder else name, path) for name, path in handler.files]
    paths.clean_all(name for name, _path in named)
    sent = dict(named)
    before = store.latest(dataset.repository)
    saved = actions.push_files(
        dataset, sent, message=request.POST.get("message", ""), by=request.user
    )
    number = {"number": saved.number}
    if saved == before:
        said = _("Nothing was new: revision %(number)d holds these files already.")
        messages.info(request, said % number)
    else:
        messages.success(request, _("Your files are saved as revision %(number)d.") % number)
    return redirect(dataset)


def _preview(
    request: SignedIn, chosen: Revision | None, files: walk.Shown
) -> preview.Preview | None:
    """Show the file that was asked for, else the first with rows: a README is a card."""
    asked = request.GET.get("show")
    among = preview.showable(files.looked)
    file = next((one for one in among if one.path != front_matter.README), None)
    if chosen and asked and preview.can_show(asked):
        file = finding.file(chosen, asked)
    return preview.of(file, among=among) if file else None

"""The page of own code: parse, call one action, show."""

from pathlib import PurePosixPath

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from fabriek.cases.models import Case
from fabriek.kernel.errors import Refused
from fabriek.people.http import SignedIn
from fabriek.programs import actions, queries
from fabriek.programs.forms import CODE, ProgramForm
from fabriek.programs.uploads import CodeUploadHandler
from fabriek.runs import actions as runs
from fabriek.store.models import Repository
from fabriek.store.references import written

TO_MEND = 422
DROPPABLE_SHOWN = 20
ENDINGS = (".tar.gz", ".tgz", ".tar", ".zip")


@csrf_exempt
@login_required
def new(request: SignedIn) -> HttpResponse:
    """Send code and start it, or show the form.

    Who may send at all is looked at before a byte of the body is read. Django checks the token
    in the form as soon as it reads the form, so that check comes after, in `_posted`.
    """
    rows = Case.objects.visible_to(request.user).select_related("organisation")
    case = get_object_or_404(rows, code=request.GET.get("case", ""))
    actions.require_send(case, request.user)
    if request.method != "POST":
        form = ProgramForm(case=case, by=request.user)
        context = {"form": form, "case": case, "droppable": _droppable(request, case)}
        return render(request, "programs/new.html", context)
    handler = CodeUploadHandler(request)
    request.upload_handlers = [handler]
    return _posted(request, case, handler)


@csrf_protect
def _posted(request: SignedIn, case: Case, handler: CodeUploadHandler) -> HttpResponse:
    """Take in what was sent first: whatever else is wrong, it need not be sent again."""
    given = request.POST.copy()
    trouble = _sent(request, case, handler, given)
    form = ProgramForm(given, case=case, by=request.user)
    is_good = form.is_valid()
    if trouble:
        form.add_error("chosen", str(trouble))
    elif is_good and "look" not in given:
        run = runs.ask(form.wish(), allocation=form.allocation_chosen(), by=request.user)
        messages.success(request, _("%(run)s is on its way to the machine.") % {"run": run})
        return redirect(run)
    context = {
        "form": form,
        "case": case,
        "chosen": given.get(CODE, ""),
        "droppable": _droppable(request, case),
    }
    return render(request, "programs/new.html", context, status=TO_MEND if form.errors else 200)


def _droppable(request: SignedIn, case: Case) -> list[Repository]:
    """Give the code of which this person may let old revisions go."""
    if not request.user.leads(case.organisation_id):
        return []
    return list(queries.with_old_ones(case)[:DROPPABLE_SHOWN])


def _sent(
    request: SignedIn, case: Case, handler: CodeUploadHandler, given: QueryDict
) -> Refused | None:
    """Keep the archive and choose it in the form; give why not."""
    if handler.refusal or not handler.files:
        return handler.refusal
    file_name, path = handler.files[0]
    name = given.get("name", "").strip() or _named_after(file_name)
    try:
        with path.open("rb") as file:
            sending = actions.Sending(case=case, name=name, archive=file)
            given[CODE] = written(actions.send(sending, by=request.user))
    except Refused as refusal:
        return refusal
    return None


def _named_after(file_name: str) -> str:
    name = PurePosixPath(file_name.replace("\\", "/")).name
    ending = next((one for one in ENDINGS if name.lower().endswith(one)), "")
    return name[: len(name) - len(ending)][: actions.NAME_CHARACTERS] or _("code")

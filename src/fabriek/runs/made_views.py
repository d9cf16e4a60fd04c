"""The door to what a run wrote: one file at a time, as it lies there, or all in a dataset."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from fabriek.kernel.errors import Invalid
from fabriek.people.http import SignedIn
from fabriek.people.models import Person
from fabriek.runs import made, queries, rules, saved_in, show
from fabriek.runs.answers_form import SaveForm
from fabriek.runs.models import Run

TO_MEND = 422


@login_required
@require_safe
def file(request: SignedIn, code: str, name: str) -> FileResponse:
    return sent(request.user, run_of(request.user, code), name)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def save(request: SignedIn, code: str) -> HttpResponse:
    """Choose after all in which dataset the answers of a run are saved."""
    run = run_of(request.user, code)
    rules.require_ask(request.user, run.case)
    form = SaveForm(request.POST if request.method == "POST" else None, case=run.case)
    if form.is_bound and form.is_valid() and _keeps(request, run, form):
        messages.success(request, _("The answers are being saved, within a minute."))
        return redirect(run)
    context = {"run": run, "form": form, "recipe_title": show.recipe_title(run)}
    return render(request, "runs/save.html", context, status=TO_MEND if form.errors else 200)


def _keeps(request: SignedIn, run: Run, form: SaveForm) -> bool:
    """Ask for it; what is wrong is said beside its field."""
    try:
        saved_in.keep(run, form.saved_in(), by=request.user)
    except Invalid as refusal:
        for name in refusal.fields or [None]:
            form.add_error(name, str(refusal))
        return False
    return True


def run_of(person: Person, code: str) -> Run:
    """Find a run of this person's consortium; of other runs nobody says that they wrote."""
    run = get_object_or_404(queries.with_facts(Run.objects.visible_to(person)), code=code)
    if not rules.may_see_inside(person, run):
        raise Http404
    return run


def sent(person: Person, run: Run, name: str) -> FileResponse:
    """Send a file of it. Raises: NotAllowed, Http404."""
    made.require_read(run, person)
    try:
        with made.opened(run, name) as found:
            return FileResponse(
                found,
                as_attachment=True,
                filename=f"{run.code}-{name.rpartition('/')[2]}",
                content_type="application/octet-stream",
            )
    except FileNotFoundError as error:
        raise Http404 from error

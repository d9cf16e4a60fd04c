"""The door to what a run wrote: one file at a time, as it lies there."""

from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from fabriek.people.http import SignedIn
from fabriek.people.models import Person
from fabriek.runs import made, queries, rules
from fabriek.runs.models import Run


@login_required
@require_safe
def file(request: SignedIn, code: str, name: str) -> FileResponse:
    return sent(request.user, run_of(request.user, code), name)


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
                filename=f"{run.code}-{name}",
                content_type="application/octet-stream",
            )
    except FileNotFoundError as error:
        raise Http404 from error

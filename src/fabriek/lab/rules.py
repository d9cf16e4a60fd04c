"""Who may go into a run of interactive work, and how long they may stay."""

from importlib import import_module

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from fabriek.cases.rules import takes_part
from fabriek.kernel.errors import NotAllowed, WrongState
from fabriek.lab.models import Entry
from fabriek.people.models import Person, Token
from fabriek.runs.models import Run
from fabriek.runs.states import UNFINISHED, RunState
from fabriek_recipes.lab.knobs import READY, RECIPE


def is_lab(run: Run) -> bool:
    return run.recipe == RECIPE.name


def is_open(run: Run) -> bool:
    """Whether it answers: the recipe says so itself."""
    return is_lab(run) and run.state == RunState.RUNNING and run.stage == READY


def may_enter(person: Person, run: Run) -> bool:
    """Let in the consortium only: who is in runs programs, and reads all that lies there."""
    return is_lab(run) and takes_part(person, run.case)


def require_enter(person: Person, run: Run) -> None:
    if not may_enter(person, run):
        raise NotAllowed(
            _("Only the organisations of this case can work in %(run)s.") % {"run": run}
        )
    if run.state not in UNFINISHED:
        raise WrongState(
            _("%(run)s is over. Begin a new session; it can have the files of this one.")
            % {"run": run},
            code="lab_over",
        )
    if not is_open(run):
        raise WrongState(
            _("%(run)s is not ready yet. Its page shows when you can go in.") % {"run": run},
            code="lab_not_ready",
        )


def may_stay(entry: Entry) -> bool:
    """Ask again what was asked at the door; and whether the right to ask still holds."""
    run, person = entry.run, entry.person
    if run.state != RunState.RUNNING or not _has_right(entry):
        return False
    return may_enter(person, run)


def _has_right(entry: Entry) -> bool:
    if entry.token_id:
        return _is_good(entry.token, entry.person)
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(entry.session_key)
    # Also refuses a session from before the password was changed, and who was suspended.
    return get_user(request).pk == entry.person_id


def _is_good(token: Token | None, person: Person) -> bool:
    return token is not None and token.is_valid(timezone.now()) and person.is_active

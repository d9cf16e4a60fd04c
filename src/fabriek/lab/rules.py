"""Who may go into a run of interactive work, and how long they may stay."""

from collections.abc import Collection, Iterable
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
from fabriek.runs import lineage, use
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


def require_data(person: Person, run: Run) -> None:
    """Let in only whom the agreements on what lies there mean: who is in can copy all of it.

    Ask outside of a transaction, as it is written down. Raises: NotAllowed, with the reason.
    """
    denied = use.may_leave(run, person)
    if denied:
        raise NotAllowed(denied.sentence, code=denied.code)


def who_may_stay(entries: Iterable[Entry]) -> set[Entry]:
    """Ask again what was asked at the door; and whether the right to ask still holds.

    A session, a person in a case and one in a lab with data are asked after once, however many
    passes there are.
    """
    signed_in: dict[str, object] = {}
    takes_part_in: dict[tuple[int, int], bool] = {}
    staying = set()
    for entry in entries:
        if entry.run.state != RunState.RUNNING or not is_lab(entry.run):
            continue
        if not _has_right(entry, signed_in):
            continue
        both = (entry.person_id, entry.run.case_id)
        if both not in takes_part_in:
            takes_part_in[both] = takes_part(entry.person, entry.run.case)
        if takes_part_in[both]:
            staying.add(entry)
    return staying - _for_whom_data_is_closed(staying)


def _for_whom_data_is_closed(entries: Collection[Entry]) -> set[Entry]:
    """Name who may not be where the data is: more may have come in, or an agreement ended."""
    with_data = lineage.with_data({entry.run for entry in entries})
    denied: dict[tuple[int, int], bool] = {}
    for entry in entries:
        both = (entry.person_id, entry.run_id)
        if entry.run in with_data and both not in denied:
            denied[both] = use.may_leave(entry.run, entry.person) is not None
    return {one for one in entries if denied.get((one.person_id, one.run_id))}


def _has_right(entry: Entry, signed_in: dict[str, object]) -> bool:
    """Look at the token or the session; `signed_in` keeps whose each session is."""
    if entry.token_id:
        return _is_good(entry.token, entry.person)
    if (key := entry.session_key) not in signed_in:
        request = HttpRequest()
        request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
        # Also refuses a session from before the password was changed, and who was suspended.
        signed_in[key] = get_user(request).pk
    return signed_in[key] == entry.person_id


def _is_good(token: Token | None, person: Person) -> bool:
    return token is not None and token.is_valid(timezone.now()) and person.is_active

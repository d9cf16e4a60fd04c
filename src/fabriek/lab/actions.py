"""Begin interactive work, and go in: a ticket that is used once is changed for a pass."""

import importlib.util
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.allocations.models import Allocation
from fabriek.kernel import journal
from fabriek.kernel.errors import Invalid, WrongState
from fabriek.lab import addresses, rules
from fabriek.lab.models import Entry
from fabriek.people import tokens
from fabriek.people.models import Person, Token
from fabriek.runs import actions as runs
from fabriek.runs.models import Run
from fabriek.runs.states import UNFINISHED
from fabriek.store.models import Revision
from fabriek_recipes.lab.knobs import RECIPE

HOURS_MAX = 24
HOUR_S = 3600
# Long enough for a slow redirect, too short to be found in a history.
TICKET_LASTS = timedelta(seconds=30)
PASSES_MAX = 10  # of one person for one run; the oldest end first

journal.describe({"lab.enter": gettext_lazy("went into a run to work in it")})


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What somebody wants to work with. `earlier`: the session whose files to begin with."""

    hours: int = 1
    gpus: int = 1
    idle_minutes: int = 30
    inputs: Mapping[str, Revision] = field(default_factory=dict)
    earlier: Run | None = None
    wish_id: UUID = field(default_factory=uuid4)


@dataclass(frozen=True, kw_only=True, slots=True)
class Right:
    """What somebody asks to be let in with; it is looked at for as long as they are in."""

    session_key: str = ""
    token: Token | None = None


def is_offered() -> bool:
    """Whether the operator lets people in, at what address, and has the programs for it."""
    return settings.LAB and bool(settings.LAB_URL) and is_installed()


def is_installed() -> bool:
    """Whether JupyterLab is here; the nodes of a cluster use the same Python."""
    return importlib.util.find_spec("jupyterlab") is not None


def require_offered() -> None:
    if not is_offered():
        raise WrongState(
            _(
                "This factory does not offer interactive work yet. Ask its helpdesk; who runs "
                "it finds how in the guide for operators."
            ),
            code="lab_not_offered",
        )


def run_wish(wish: Wish) -> runs.Wish:
    return runs.Wish(
        recipe=RECIPE.name,
        knobs={"idle_minutes": wish.idle_minutes},
        inputs=wish.inputs,
        gpus=wish.gpus,
        timeout_s=wish.hours * HOUR_S,
        wish_id=wish.wish_id,
    )


def start(wish: Wish, *, allocation: Allocation, by: Person) -> Run:
    """Hold the GPU time and queue the run, as for any other.

    Raises:
        NotAllowed, WrongState: `by` may not run for this case, or nothing is offered here.
        Invalid: hours, GPUs, data or the earlier session will not do.
        NotEnough: the allocation cannot pay for the hours.
    """
    require_offered()
    _check(wish, allocation)
    return runs.ask(run_wish(wish), allocation=allocation, by=by, continues=wish.earlier)


def enter(run: Run, *, by: Person, right: Right) -> str:
    """Give the address to go in at: good once, and for half a minute.

    Raises:
        NotAllowed: `by` is not of the consortium, or an agreement on the data leaves them out.
        WrongState: the run is not ready, or over, or nothing is offered here any more.
    """
    require_offered()
    rules.require_enter(by, run)
    rules.require_data(by, run)
    return _ticket(run, by=by, right=right)


@transaction.atomic
def _ticket(run: Run, *, by: Person, right: Right) -> str:
    ticket = secrets.token_urlsafe(32)
    Entry.objects.filter(run=run, person=by, admitted_at=None).delete()
    Entry.objects.create(
        run=run,
        person=by,
        session_key=right.session_key,
        token=right.token,
        ticket=tokens.digest(ticket),
    )
    return addresses.door(run, ticket)


@transaction.atomic
def admit(ticket: str, code: str) -> str | None:
    """Change a ticket of the run with this code for a pass; None if it is not good any more.

    Two who come with the same ticket at once get one pass between them.
    """
    now = timezone.now()
    good = Entry.objects.filter(
        ticket=tokens.digest(ticket), run__code=code, asked_at__gt=now - TICKET_LASTS
    )
    admission = secrets.token_urlsafe(32)
    if not good.filter(admitted_at=None).update(
        admitted_at=now, admission=tokens.digest(admission)
    ):
        return None
    entry = good.select_related("run", "person").get()
    _end_older(entry)
    journal.record("lab.enter", entry.run, by=entry.person)
    return admission


def _end_older(entry: Entry) -> None:
    """Keep no more of somebody's passes for one run than they have browsers and terminals."""
    theirs = Entry.objects.filter(run=entry.run, person=entry.person)
    passes = theirs.exclude(admission=None).order_by("-admitted_at", "-pk")
    Entry.objects.filter(pk__in=list(passes.values_list("pk", flat=True)[PASSES_MAX:])).delete()


def _check(wish: Wish, allocation: Allocation) -> None:
    if not 1 <= wish.hours <= HOURS_MAX:
        raise Invalid(
            _("Choose 1 to %(most)d hours.") % {"most": HOURS_MAX},
            fields={"hours": _("This is too few or too many.")},
        )
    found = wish.earlier
    if found and not (rules.is_lab(found) and found.case_id == allocation.case_id):
        raise Invalid(
            _("%(run)s is no session of this case. Choose another.") % {"run": found},
            fields={"earlier": _("Choose a session of this case.")},
        )
    if found and found.state in UNFINISHED:
        raise Invalid(
            _("%(run)s is not over yet. Work in it, or stop it first.") % {"run": found},
            fields={"earlier": _("Choose a session that is over.")},
        )

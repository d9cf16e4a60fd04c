"""Who may search, stop a search, let it go on, and train its winner."""

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.cases.rules import takes_part
from fabriek.kernel.errors import NotAllowed
from fabriek.kernel.steps import NextStep
from fabriek.people.models import Person
from fabriek.runs import rules as runs
from fabriek.runs.states import UNFINISHED as AT_WORK
from fabriek.runs.states import RunState
from fabriek.sweeps.models import Sweep
from fabriek.sweeps.states import UNFINISHED, SweepState

require_start, may_stop, require_stop = runs.require_ask, runs.may_stop, runs.require_stop
require_still_open = runs.require_still_open


def may_see_inside(person: Person, sweep: Sweep) -> bool:
    """Show settings and scores to those of the consortium whom its data is meant for.

    Others see that there is a search, and what it may cost.
    """
    return takes_part(person, sweep.case) and sweep.is_meant_for(person)


def require_inside(person: Person, sweep: Sweep) -> None:
    """Refuse those of the consortium whom its data is not meant for, who cannot see it."""
    if not may_see_inside(person, sweep):
        raise NotAllowed(
            _(
                "%(sweep)s works on data that is meant for some organisations of this case "
                "only. Ask one of them to do this."
            )
            % {"sweep": sweep},
            code="not_meant_for_you",
        )


def may_keep(sweep: Sweep) -> bool:
    """Tell whether its winner can be trained: not while it searches, and once."""
    if sweep.state == SweepState.RUNNING:
        return False
    run = sweep.winner_run
    return run is None or run.state not in AT_WORK | {RunState.SUCCEEDED, RunState.LOST}


def next_steps(
    person: Person, sweep: Sweep, *, has_best: bool, inside: bool | None = None
) -> list[NextStep]:
    """Name what this person can do with it now. `inside`: may_see_inside, when known."""
    inside = may_see_inside(person, sweep) if inside is None else inside
    steps = []
    if inside and sweep.state == SweepState.PAUSED:
        steps.append(_go_on(sweep))
    if inside and has_best and may_keep(sweep):
        steps.append(_keep(sweep))
    if sweep.state in UNFINISHED and (inside or may_stop(person, sweep.case)):
        steps.append(_stop(sweep))
    return steps


def _go_on(sweep: Sweep) -> NextStep:
    return NextStep(
        name="go_on",
        label=gettext_lazy("Go on searching"),
        sentence=gettext_lazy("The search stands still. It can go on where it was."),
        url=reverse("sweeps:go_on", args=[sweep.code]),
    )


def _keep(sweep: Sweep) -> NextStep:
    return NextStep(
        name="keep",
        label=gettext_lazy("Train the winner at full length"),
        sentence=gettext_lazy(
            "There is a winner. Trained at full length it becomes a model that is kept; that "
            "is a run of its own, beside the budget of the search."
        ),
        url=reverse("sweeps:keep", args=[sweep.code]),
    )


def _stop(sweep: Sweep) -> NextStep:
    return NextStep(
        name="stop",
        label=gettext_lazy("Stop the search"),
        sentence=gettext_lazy("The search goes on by itself. You can stop it."),
        url=reverse("sweeps:stop", args=[sweep.code]),
        tone="danger",
    )

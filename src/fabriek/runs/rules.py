"""Who may ask for a run, stop it, continue it, and look inside."""

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.cases.models import Case
from fabriek.cases.rules import takes_part
from fabriek.cases.states import CaseState
from fabriek.kernel.errors import NotAllowed, WrongState
from fabriek.kernel.steps import NextStep
from fabriek.people.models import Person
from fabriek.runs import folders, left, mending, waits
from fabriek.runs.models import Run
from fabriek.runs.states import UNFINISHED, RunState
from fabriek_recipes.recipe import runnable

# What people begin again is told by the room that offers it.
INTERACTIVE = frozenset(recipe.name for recipe in runnable().values() if recipe.is_interactive)
# Those in which people have files and programs of their own.
WORKED_IN = frozenset(name for name in INTERACTIVE if not runnable()[name].answers_only)
OWN_CODE = frozenset(recipe.name for recipe in runnable().values() if recipe.is_own_code)
SAVES = frozenset(
    recipe.name
    for recipe in runnable().values()
    if "checkpoint_every_steps" in recipe.knobs.model_fields
)
# These keep what they did of their rows at every moment.
KEEPS = frozenset(recipe.name for recipe in runnable().values() if recipe.keeps_rows)
# Of a run that somebody paused before it had saved anything.
PAUSED_TOO_EARLY = "paused_too_early"
CONTINUABLE = frozenset({RunState.FAILED, RunState.CANCELLED, RunState.LOST})


def may_ask(person: Person, case: Case) -> bool:
    """Everybody of the consortium; staff of the factory do not spend others' GPU-hours."""
    return takes_part(person, case)


def may_see_inside(person: Person, run: Run) -> bool:
    """Show settings, log and figures to those of the consortium whom its data is meant for.

    Others see that the run exists, and what it costs.
    """
    return takes_part(person, run.case) and run.is_meant_for(person)


def has_log_to_see(run: Run) -> bool:
    """Tell whether people may read its log: a program that stops may quote rows in it."""
    return not run.is_secure


def require_log(run: Run) -> None:
    if not has_log_to_see(run):
        raise NotAllowed(
            _(
                "%(run)s runs on the secure part of the machine, and its log stays there: it "
                "may quote the data. Its page says why it ended."
            )
            % {"run": run},
            code="log_stays_secure",
        )


def may_stop(person: Person, case: Case) -> bool:
    """Allow the consortium, and staff, who answer for the machine."""
    return person.is_factory_staff or takes_part(person, case)


def require_ask(person: Person, case: Case) -> None:
    if not may_ask(person, case):
        raise NotAllowed(
            _("Only the organisations of %(case)s start runs for it.") % {"case": case.code}
        )
    if case.state != CaseState.OPEN:
        raise _not_open(case)


def require_still_open(case: Case) -> None:
    """Look again once it is written, and keep the case from ending until that is saved.

    Its lock is needed: what is written names the case, but PostgreSQL holds no row for that
    before the end, so that a case could close in between. Call it in that transaction.
    """
    held = Case.objects.select_for_update(no_key=True).get(pk=case.pk)
    if held.state != CaseState.OPEN:
        raise _not_open(case)


def _not_open(case: Case) -> WrongState:
    return WrongState(
        _("%(case)s is not open, so nothing can be run for it. Propose the case first.")
        % {"case": case.code}
    )


def require_stop(person: Person, case: Case, *, what: object) -> None:
    """Refuse strangers to stop `what`, a run of this case or several that belong together."""
    if not may_stop(person, case):
        raise NotAllowed(
            _("Only the organisations of this case, or the factory, can stop %(run)s.")
            % {"run": what}
        )


def is_continuable(run: Run) -> bool:
    """Whether it may go on from a checkpoint, if it left one; a session of people may not."""
    return run.state in CONTINUABLE and run.recipe not in INTERACTIVE and not run.is_trial


def is_pausable(run: Run) -> bool:
    """Whether it is at work on what can be saved in between, so that it can go on later.

    A trial stands in a row with others, and goes on by itself or not at all.
    """
    is_at_work = run.state == RunState.RUNNING and run.recipe in SAVES | KEEPS | OWN_CODE
    return is_at_work and not run.is_dry and not run.is_trial


def leaves_files(run: Run) -> bool:
    """Whether what it makes is files to read: no model, and no session of people.

    Own code may leave both.
    """
    recipe = runnable().get(run.recipe)
    if recipe is None or recipe.is_interactive:
        return False
    return recipe.is_own_code or not recipe.makes_model


def next_steps(person: Person, run: Run, *, part: bool | None = None) -> list[NextStep]:
    """Name what this person can do with the run now. `part`: takes_part, when known."""
    part = takes_part(person, run.case) if part is None else part
    inside = part and run.is_meant_for(person)
    steps = []
    if run.state in UNFINISHED and run.cancel_asked_at is None:
        if part and is_pausable(run):
            steps.append(_pause(run))
        if part or person.is_factory_staff:
            steps.append(_cancel(run))
    elif inside and is_continuable(run) and folders.has_checkpoint(run):
        steps.append(_continue(run))
    if inside and run.state not in UNFINISHED and run.recipe not in INTERACTIVE:
        mend = mending.step(run)
        steps = [*([mend] if mend else []), *steps, _again(run)]
    return steps


def _cancel(run: Run) -> NextStep:
    return NextStep(
        name="cancel",
        label=gettext_lazy("Stop this run"),
        sentence=gettext_lazy("The run does not start by itself. You can stop it.")
        if waits.needs_you(run.waiting_reason)
        else gettext_lazy("The run goes on by itself. You can stop it."),
        url=reverse("runs:cancel", args=[run.code]),
        tone="danger",
    )


def _pause(run: Run) -> NextStep:
    return NextStep(
        name="pause",
        label=gettext_lazy("Pause"),
        sentence=gettext_lazy("The run saves, its GPUs come free, and it can go on later."),
        url=reverse("runs:pause", args=[run.code]),
    )


def _continue(run: Run) -> NextStep:
    return NextStep(
        name="continue",
        label=gettext_lazy("Continue from the last checkpoint"),
        sentence=f"{_('The run ended early, but what it had learned was kept.')} "
        f"{left.said(run)}",
        url=reverse("runs:continue", args=[run.code]),
    )


def _again(run: Run) -> NextStep:
    return NextStep(
        name="again",
        label=gettext_lazy("Run again with other settings"),
        sentence=gettext_lazy("The run is over. You can run it again with other settings."),
        url=f"{reverse('runs:new')}?like={run.code}",
        method="get",
    )

"""Who may try a model, and who may look into such a session: the one who began it, alone."""

from django.utils.translation import gettext as _

from fabriek.agreements.policy import Decision
from fabriek.kernel.errors import Invalid, NotAllowed, WrongState
from fabriek.people.models import Person
from fabriek.registry import rules as registry
from fabriek.registry.models import Model
from fabriek.runs import rules as runs
from fabriek.runs import use
from fabriek.runs.models import Run
from fabriek.runs.states import UNFINISHED, RunState
from fabriek_recipes.try_model.knobs import READY, RECIPE


def is_try(run: Run) -> bool:
    return run.recipe == RECIPE.name


def is_open(run: Run) -> bool:
    """Whether it answers: the recipe says so itself."""
    at_work = is_try(run) and run.state == RunState.RUNNING and run.stage == READY
    return at_work and run.cancel_asked_at is None


def require_language(model: Model) -> None:
    if not registry.is_language_model(model):
        raise Invalid(
            _("%(code)s is no language model, so it cannot be asked anything in the page.")
            % {"code": model.code},
            code="no_language_model",
        )


def denial(person: Person, run: Run) -> Decision | None:
    """Give what denies this person the answers of what lies in their session now.

    An agreement may have ended, or mean other organisations since it began. Ask outside of a
    transaction, as a denial is written down.
    """
    return use.may_leave(run, person)


def require_ask(person: Person, run: Run) -> None:
    """Let somebody ask in their own session. Raises: NotAllowed, WrongState."""
    runs.require_ask(person, run.case)
    if denied := denial(person, run):
        raise NotAllowed(denied.sentence, code=denied.code)
    if run.state not in UNFINISHED or run.cancel_asked_at:
        raise WrongState(
            _("%(run)s is over. Begin again on the page of the model.") % {"run": run},
            code="try_over",
        )
    if not is_open(run):
        raise WrongState(
            _("%(run)s is not ready yet. Its page shows when you can ask.") % {"run": run},
            code="try_not_ready",
        )

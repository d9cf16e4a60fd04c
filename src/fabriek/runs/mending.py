"""What to change after a failure, as the recipe proposes it, in words and as a button."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from pydantic import ValidationError

from fabriek.kernel.steps import NextStep
from fabriek.runs import offers
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek_recipes import remedies
from fabriek_recipes.recipe import catalogue
from fabriek_recipes.remedies import Changes

# A knob in an address, as the form names its field.
FIELD = "knob_"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mending:
    """`said` names the settings with their new values, in the reader's language."""

    changes: Changes
    said: str


def proposed(run: Run) -> Mending | None:
    """Give what to start again with; nothing when the run did not fail, or nothing helps.

    The recipe tells its own code; a run that the machine ended has the machine's.
    """
    recipe = catalogue().get(run.recipe)
    if recipe is None or run.state != RunState.FAILED:
        return None
    try:
        knobs = recipe.knobs.model_validate(run.knobs)
    except ValidationError:  # of a recipe that has changed since
        return None
    code = str((run.failure or {}).get("code") or run.reason)
    if not (found := remedies.changes(code, knobs)):
        return None
    chosen = offers.chosen(run.recipe, found)
    said = ", ".join(f"{knob.title}: {knob.said_with_unit(value)}" for knob, value in chosen)
    return Mending(changes=found, said=said)


def step(run: Run) -> NextStep | None:
    """Offer it as a button, which opens the form filled in: nothing starts unseen."""
    found = proposed(run)
    if found is None:
        return None
    given = {FIELD + name: _plain(value) for name, value in found.changes.items()}
    return NextStep(
        name="mend",
        label=_("Start again with %(change)s") % {"change": found.said},
        sentence=_("The run failed. This change mends what went wrong most often."),
        url=f"{reverse('runs:new')}?{urlencode({'like': run.code, **given})}",
        method="get",
    )


def _plain(value: object) -> str:
    """Write 0.00002 as people do, not as 2e-05."""
    return f"{value:.10f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)

"""What to change after a failure, as the recipe proposes it, in words and as a button."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from pydantic import ValidationError

from fabriek.kernel.steps import NextStep
from fabriek.kernel.words import number
from fabriek.runs import offers
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek_recipes import remedies
from fabriek_recipes.recipe import catalogue
from fabriek_recipes.remedies import Changes

# A step that waited for a disk or another process: what was learned before it is sound.
STALLED = "stalled"
# A knob in an address, as the form names its field.
FIELD = "knob_"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mending:
    """`said` names the settings with their new values, in the reader's language.

    `gpus`: on one node, where there were several; 0: as it was.
    """

    changes: Changes
    said: str
    gpus: int = 0

    @property
    def places(self) -> dict[str, int]:
        """Give on how many GPUs and nodes, where that is the change."""
        return {"gpus": self.gpus, "nodes": 1} if self.gpus else {}


def proposed(run: Run) -> Mending | None:
    """Give what to start again with; nothing when the run did not fail, or nothing helps.

    Nothing for a trial either: its search tries other settings itself, within its budget. The
    recipe tells its own code; a run that the machine ended has the machine's.
    """
    recipe = catalogue().get(run.recipe)
    if recipe is None or run.state != RunState.FAILED or run.is_trial:
        return None
    try:
        knobs = recipe.knobs.model_validate(run.knobs)
    except ValidationError:  # of a recipe that has changed since
        return None
    code = code_of(run)
    if code == STALLED and run.nodes > 1:
        gpus = run.gpus // run.nodes
        said = ngettext("%(gpus)s GPU on one node", "%(gpus)s GPUs on one node", gpus)
        return Mending(changes={}, said=said % {"gpus": number(gpus)}, gpus=gpus)
    if not (found := remedies.changes(code, knobs)):
        return None
    chosen = offers.chosen(run.recipe, found)
    said = ", ".join(f"{knob.title}: {knob.said_with_unit(value)}" for knob, value in chosen)
    return Mending(changes=found, said=said)


def code_of(run: Run) -> str:
    """Name why a run failed: in the recipe's word, or else in the machine's."""
    return str((run.failure or {}).get("code") or run.reason)


def goes_on_first(run: Run) -> bool:
    """Whether to go on where it was is better than to start again with a change."""
    return code_of(run) == STALLED


def step(run: Run) -> NextStep | None:
    """Offer it as a button, which opens the form filled in: nothing starts unseen."""
    found = proposed(run)
    if found is None:
        return None
    given = {FIELD + name: _plain(value) for name, value in found.changes.items()}
    given |= {name: str(count) for name, count in found.places.items()}
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

"""What somebody wants to have searched, and the checks that need no machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from django.utils.translation import gettext as _

from fabriek.kernel.errors import Invalid
from fabriek.kernel.units import SECONDS_PER_HOUR
from fabriek.store.models import Revision
from fabriek.sweeps import halving
from fabriek.sweeps.ranges import Given
from fabriek_recipes.searches import Search

TRIALS_MAX = 100
TRIALS_LEAST = 2
AT_ONCE_MAX = 16
BUDGET_MAX_S = 10**7 * SECONDS_PER_HOUR


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What to search. `trials` empty: as many as the budget is good for.

    `ranges` empty: what is suggested for the recipe. `score` empty: the recipe's main one.
    `wish_id` makes sending it again harmless, as when a button is pressed twice.
    """

    recipe: str
    gpu_seconds_budget: int
    knobs: Mapping[str, object] = field(default_factory=dict)
    inputs: Mapping[str, Revision] = field(default_factory=dict)
    ranges: Sequence[Given] = ()
    score: str = ""
    trials: int | None = None
    halving: int = 3
    at_once: int = 2
    gpus: int = 1
    nodes: int = 1
    seed: int = 1
    wish_id: UUID = field(default_factory=uuid4)


def check(wish: Wish, search: Search) -> None:
    """Check what can be counted. Raises: Invalid."""
    _check_number("trials", wish.trials or TRIALS_LEAST, TRIALS_LEAST, TRIALS_MAX)
    _check_number("at_once", wish.at_once, 1, AT_ONCE_MAX)
    if not 0 < wish.gpu_seconds_budget <= BUDGET_MAX_S:
        said = _("Say how many GPU-hours all runs together may use: more than 0.")
        raise Invalid(said, fields={"budget": said}, code="bad_budget")
    if wish.halving not in {0, *halving.ONE_OF}:
        said = _("Of how many one goes on: 2, 3 or 4; 0 trains all of them in full.")
        raise Invalid(said, fields={"halving": said}, code="bad_halving")
    if wish.score and wish.score not in search.scores:
        said = _("Choose the best by one of: %(scores)s.")
        said %= {"scores": ", ".join(search.scores)}
        raise Invalid(said, fields={"score": said}, code="bad_score")


def _check_number(name: str, value: int, least: int, most: int) -> None:
    if least <= value <= most:
        return
    said = _("Choose a number from %(least)d to %(most)d.") % {"least": least, "most": most}
    raise Invalid(f"{name}: {said}", fields={name: said}, code="bad_number")

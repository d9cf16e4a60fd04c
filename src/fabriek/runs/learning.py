"""Which recipes can learn from a revision, and what is wrong with it for the others."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext_lazy

from fabriek.kernel.errors import Invalid, Refused
from fabriek.people.models import Person
from fabriek.runs import offers
from fabriek.store.models import Revision
from fabriek_recipes.kinds import Recipe

DATASET = "dataset"
# Each recipe reads the rows, and somebody waits for the page.
CHECKED_BYTES, CHECKED_FILES = 2**26, 2_000
WAIT_S = 20.0  # what was found by then is remembered
TOO_LARGE = gettext_lazy(
    "These data are too large to be checked for each recipe on a page. Choose a recipe for a "
    "run: it says what is wrong before it starts."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Unfit:
    """A recipe, and in a sentence why it does not learn from these data as they are."""

    recipe: Recipe
    why: str


@dataclass(kw_only=True, slots=True)
class Learning:
    """`after_setting`: the data are sound, and a setting has to name a column of them.

    `trouble`: why nothing can be said now, or of so much data.
    """

    at_once: list[Recipe] = field(default_factory=list)
    after_setting: list[Unfit] = field(default_factory=list)
    cannot: list[Unfit] = field(default_factory=list)
    trouble: str = ""


def recipes() -> Sequence[Recipe]:
    """List what makes a model of data by itself."""
    return [
        one
        for one in offers.recipes()
        if one.makes and not one.is_own_code and DATASET in {need.name for need in one.inputs}
    ]


def of(revision: Revision, *, by: Person) -> Learning:
    """Ask each recipe about these data, with its settings as they are when a form opens."""
    if revision.size_bytes > CHECKED_BYTES or revision.file_count > CHECKED_FILES:
        return Learning(trouble=str(TOO_LARGE))
    found, until = Learning(), time.monotonic() + WAIT_S
    for recipe in recipes():
        if time.monotonic() > until:
            return Learning(trouble=str(TOO_LARGE))
        try:
            wrong, is_setting = offers.first_wrong(recipe, {DATASET: revision}, by=by)
        except Invalid as unreadable:
            wrong, is_setting = str(unreadable.sentence), False
        except Refused as refused:  # others are at it, or the files are being brought near
            return Learning(trouble=str(refused.sentence))
        if not wrong:
            found.at_once.append(recipe)
        elif is_setting:
            found.after_setting.append(Unfit(recipe=recipe, why=wrong))
        else:
            found.cannot.append(Unfit(recipe=recipe, why=wrong))
    return found

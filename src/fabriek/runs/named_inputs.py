"""The inputs that a program names in what it sends: each by the name the recipe has for it."""

from collections.abc import Mapping

from django.utils.translation import gettext as _

from fabriek.agreements import policy
from fabriek.kernel.errors import Invalid
from fabriek.people.models import Person
from fabriek.store.models import Revision
from fabriek.store.references import revision_of
from fabriek_recipes.kinds import Recipe


def revisions(given: Mapping[str, str], recipe: Recipe, by: Person) -> dict[str, Revision]:
    """Find what is named, as far as `by` may see it.

    Raises: Invalid, when the recipe has no such input, or there is no such thing.
    """
    kinds = {need.name: need.kind for need in recipe.inputs}
    if unknown := sorted(given.keys() - kinds.keys()):
        raise Invalid(
            _("This recipe does not use “%(name)s”. It works on: %(names)s.")
            % {"name": unknown[0][:60], "names": ", ".join(kinds)},
            code="unknown_input",
        )
    return {
        name: revision_of(reference, among=policy.visible_to(by), kind=kinds[name])
        for name, reference in given.items()
    }

"""What a recipe could work on: the revisions that a form offers."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import OuterRef, Subquery

from fabriek.agreements import policy
from fabriek.cases.models import Case
from fabriek.people.models import Person
from fabriek.store.models import MAIN, Revision
from fabriek.store.references import revision_of, written
from fabriek_recipes.recipe import Recipe

CHOICES_MAX = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """A revision that a recipe could work on."""

    reference: str
    title: str
    revision: Revision


def inputs_for(case: Case, recipe: Recipe, person: Person) -> Mapping[str, list[Choice]]:
    """Offer, for each input of the recipe, the newest revision of what fits.

    That is of the right kind, of this case or open to all, and visible to this person.
    """
    newest = Revision.objects.filter(repository=OuterRef("repository"), branch=MAIN).order_by(
        "-number"
    )
    kinds = {need.kind for need in recipe.inputs}
    seen = policy.visible_to(person).filter(kind__in=kinds, code__isnull=False)
    is_closed = not recipe.is_interactive  # nobody is in it, so that it may go there
    usable = policy.usable_by(case, asked_by=person, is_secure=is_closed)
    seen = seen.filter(pk__in=usable.values("pk"))
    rows = Revision.objects.filter(
        repository__in=seen, pk=Subquery(newest.values("pk")[:1])
    ).select_related("repository__case", "repository__organisation")
    # What belongs to the case comes first, then what is newest.
    found = sorted(rows.order_by("-pk")[:CHOICES_MAX], key=lambda row: _is_foreign(row, case))
    return {
        need.name: [_choice(row) for row in found if row.repository.kind == need.kind]
        for need in recipe.inputs
    }


def older_choice(reference: str, kind: str, person: Person) -> Choice:
    """Give a revision that is not the newest. Raises: Refused, where it cannot be had."""
    found = revision_of(reference, among=policy.visible_to(person), kind=kind)
    return _choice(found)


def _is_foreign(revision: Revision, case: Case) -> bool:
    return revision.repository.case_id != case.pk


def _choice(revision: Revision) -> Choice:
    return Choice(
        reference=written(revision), title=revision.repository.title, revision=revision
    )

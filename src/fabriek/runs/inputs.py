"""What a run works on, named to people of its case as far as they may know of it."""

from collections.abc import Collection, Iterable

from django.urls import reverse
from django.utils.translation import gettext as _

from fabriek.agreements import policy
from fabriek.kernel.facts import Fact
from fabriek.people.models import Person
from fabriek.runs import queries
from fabriek.runs.models import Run, RunInput
from fabriek.store.models import Repository
from fabriek.store.references import written
from fabriek_recipes.recipe import runnable


def shown(run: Run, person: Person) -> list[Fact]:
    """Show each; of what is not theirs to see, no more than that there is something.

    An agreement may be for some organisations of a case only.
    """
    recipe = runnable().get(run.recipe)
    titles = {need.name: need.title for need in recipe.inputs} if recipe else {}
    rows = list(queries.inputs_of(run))
    known = known_among(rows, person, cases={run.case_id})
    return [
        _input(row, titles.get(row.name, row.name), is_known=row.pk in known) for row in rows
    ]


def references(run: Run, person: Person) -> dict[str, str]:
    """Name the same for programs; empty where they may not know of it."""
    rows = list(queries.inputs_of(run))
    known = known_among(rows, person, cases={run.case_id})
    return {row.name: written(row.revision) if row.pk in known else "" for row in rows}


def is_lent(run: Run) -> bool:
    """Tell whether it learned from data of others that is not open to all."""
    used = [row.revision.repository for row in queries.inputs_of(run)]
    return any(not one.is_open and one.case_id != run.case_id for one in used)


def known_among(
    rows: Collection[RunInput], person: Person, *, cases: Collection[int]
) -> set[int]:
    """Tell which rows name something that this person may SEE now.

    `cases`: those of which it is known that they are theirs; what is of these costs nothing.
    """
    used = {row.revision.repository for row in rows}
    seen = seen_among((one for one in used if one.case_id not in cases), person)
    return {
        row.pk
        for row in rows
        if row.revision.repository.case_id in cases or row.revision.repository_id in seen
    }


def seen_among(repositories: Iterable[Repository], person: Person) -> set[int]:
    """Keep the keys of those that this person may SEE now; what is open costs nothing."""
    asked = {one.pk: one.is_open for one in repositories}
    seen = {pk for pk, is_open in asked.items() if is_open}
    if closed := asked.keys() - seen:
        rows = policy.visible_to(person).filter(pk__in=closed)
        seen |= set(rows.values_list("pk", flat=True))
    return seen


def _input(row: RunInput, title: str, *, is_known: bool) -> Fact:
    if not is_known:
        return Fact(
            label=_(title),
            value=_("data of others"),
            help=_("Its agreement is for other organisations of this case."),
        )
    repository = row.revision.repository
    is_dataset = repository.kind == Repository.Kind.DATASET
    return Fact(
        label=_(title),
        value=written(row.revision),
        url=reverse("datasets:detail", args=[repository.code]) if is_dataset else "",
        help=repository.title,
    )

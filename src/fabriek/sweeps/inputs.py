"""What a search works on, named to people of its case as far as they may know of it."""

from django.utils.translation import gettext as _

from fabriek.kernel.facts import Fact
from fabriek.people.models import Person
from fabriek.runs import offers
from fabriek.runs.inputs import seen_among
from fabriek.store.references import written
from fabriek.sweeps import queries
from fabriek.sweeps.models import Sweep


def shown(sweep: Sweep, person: Person) -> list[Fact]:
    """Name what it works on; of what is not theirs to see, no more than that there is some."""
    recipe = offers.known(sweep.recipe)
    titles = {need.name: _(need.title) for need in recipe.inputs}
    rows = list(queries.inputs_of(sweep))
    foreign = [
        row.revision.repository
        for row in rows
        if row.revision.repository.case_id != sweep.case_id
    ]
    known = seen_among(foreign, person) if foreign else set()
    found = []
    for row in rows:
        repository = row.revision.repository
        is_known = repository.case_id == sweep.case_id or repository.pk in known
        value = written(row.revision) if is_known else _("data of others")
        found.append(Fact(label=titles.get(row.name, row.name), value=value))
    return found

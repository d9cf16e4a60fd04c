"""What a look found, for pages of rooms that come before this one."""

from django import template

from fabriek.datasets.models import Dataset
from fabriek.kernel.steps import NextStep
from fabriek.people.models import Person
from fabriek.quality import ahead
from fabriek.store.models import Repository, Revision

register = template.Library()


@register.simple_tag
def look_steps(dataset: Dataset, revision: Revision, person: Person) -> list[NextStep]:
    """Give what the look at this revision asks of somebody: `{% … as steps %}`."""
    return ahead.next_steps(person, dataset, revision)


@register.inclusion_tag("quality/_lent_along.html")
def lent_along(repository: Repository, person: Person) -> dict[str, object]:
    """Tell its owner of revisions with personal data that an agreement lends along."""
    return {"sentence": ahead.lent_along(person, repository), "code": repository.code}

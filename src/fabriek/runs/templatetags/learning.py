"""Where it is said which recipes learn from a dataset, whose page comes before this room."""

from django import template
from django.urls import reverse

from fabriek.datasets.models import Dataset
from fabriek.quality import queries
from fabriek.store.models import Revision

register = template.Library()


@register.simple_tag
def learning_from(dataset: Dataset, revision: Revision) -> str:
    """Give the address, once the look at this revision is done: `{% … as address %}`."""
    if not queries.has_done(revision):
        return ""
    return reverse("runs:learning", args=[dataset.code, revision.number])

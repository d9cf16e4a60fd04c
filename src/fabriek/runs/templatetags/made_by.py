"""Which runs made a dataset, for the page of the dataset, which comes before this room."""

from django import template
from django.template import Context

from fabriek.datasets.models import Dataset
from fabriek.kernel.facts import Fact
from fabriek.runs import saved

register = template.Library()


@register.simple_tag(takes_context=True)
def made_by(context: Context, dataset: Dataset) -> list[Fact]:
    """Give facts: `{% made_by dataset as origin %}`."""
    return saved.made_by(dataset, context["request"].user)

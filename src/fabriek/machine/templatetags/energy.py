"""What the runs of a case drew from the grid, for the page of the case, which comes before."""

from django import template

from fabriek.cases.models import Case
from fabriek.machine import drawn
from fabriek.runs.energy import Energy

register = template.Library()


@register.simple_tag
def energy_of_case(case: Case) -> list[Energy]:
    """Give sums by how they are known: `{% energy_of_case case as drawn %}`."""
    return drawn.of_case(case.pk)

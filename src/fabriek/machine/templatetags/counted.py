"""What the machine counted of a run, for the page of the run, which comes before this room."""

from django import template

from fabriek.kernel.facts import Fact
from fabriek.machine import usage
from fabriek.runs.models import Run

register = template.Library()


@register.simple_tag
def counted_by_machine(run: Run) -> list[Fact]:
    """Give facts: `{% counted_by_machine run as counted %}`."""
    return usage.facts(run)

"""Models on the pages of runs, which come before them: why a run left none."""

from django import template

from fabriek.registry.models import Rejection
from fabriek.runs import rules
from fabriek.runs.models import Run
from fabriek.runs.states import RunState

register = template.Library()


@register.simple_tag
def refused_of(run: Run) -> Rejection | None:
    """Give why what own code left is no model; nothing for other runs, without asking."""
    if run.recipe not in rules.OWN_CODE or run.state != RunState.SUCCEEDED:
        return None
    return Rejection.objects.filter(run=run).first()

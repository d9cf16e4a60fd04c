"""The flow line of a case, for pages of every stage."""

from django import template
from django.template import Context

from fabriek.cases.models import Case
from fabriek.kernel.steps import NextStep
from fabriek.pages import firms
from fabriek.pages import journey as way
from fabriek.people.models import Organisation, Person

register = template.Library()

KEPT = "_journey"


@register.inclusion_tag("parts/_stations.html", takes_context=True)
def journey(context: Context, case: Case, current: str = "case") -> dict[str, object]:
    """Draw the stations of `case`; `current`: case, access, gpu, data, runs or model."""
    return {"stations": way.stations(case, _way(context, case), current=current)}


@register.simple_tag(takes_context=True)
def journey_steps(context: Context, case: Case) -> list[NextStep]:
    """Give what comes next for the case as a whole: `{% journey_steps case as steps %}`."""
    return way.next_steps(case, _way(context, case), context["request"].user)


@register.simple_tag(takes_context=True)
def firm_steps(
    context: Context, organisation: Organisation, steps: list[NextStep]
) -> firms.Onward:
    """Give what its people do next: `{% firm_steps organisation next_steps as onward %}`."""
    return firms.onward(organisation, context["request"].user, steps)


def _way(context: Context, case: Case) -> way.Way:
    """Ask once a page, however often the page draws it."""
    request = context["request"]
    kept: dict[int, way.Way] = request.__dict__.setdefault(KEPT, {})
    if case.pk not in kept:
        person: Person = request.user
        kept[case.pk] = way.way(case, person)
    return kept[case.pk]

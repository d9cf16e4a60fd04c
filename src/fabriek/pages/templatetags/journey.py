"""The flow line of a case, for pages of every stage."""

from django import template
from django.template import Context

from fabriek.cases.models import Case
from fabriek.pages import journey as way
from fabriek.people.models import Person

register = template.Library()

KEPT = "_journey"


@register.inclusion_tag("parts/_stations.html", takes_context=True)
def journey(context: Context, case: Case, current: str = "case") -> dict[str, object]:
    """Draw the stations of `case`; `current`: case, access, gpu, data, runs or model."""
    found, part = _look(context, case)
    return {"stations": way.stations(case, found, current=current, part=part)}


@register.simple_tag(takes_context=True)
def journey_steps(context: Context, case: Case) -> list[object]:
    """Give what comes next for the case as a whole: `{% journey_steps case as steps %}`."""
    found, part = _look(context, case)
    return list(way.next_steps(case, found, context["request"].user, part=part))


def _look(context: Context, case: Case) -> tuple[way.Standing, bool]:
    """Ask once a page, however often the page draws it."""
    request = context["request"]
    kept: dict[int, tuple[way.Standing, bool]] = request.__dict__.setdefault(KEPT, {})
    if case.pk not in kept:
        person: Person = request.user
        kept[case.pk] = way.standing(case, person)
    return kept[case.pk]

"""Interactive work on the pages of runs, which come before it: the offer, and the door."""

from dataclasses import dataclass
from datetime import datetime

from django import template
from django.urls import reverse
from django.utils.translation import gettext as _

from fabriek.cases.models import Case
from fabriek.lab import actions, queries, rules
from fabriek.runs.models import Run
from fabriek_recipes.lab.knobs import RECIPE

register = template.Library()


@dataclass(frozen=True, kw_only=True, slots=True)
class Lab:
    """What the page of a run tells of working in it."""

    code: str
    case: str
    is_open: bool
    is_over: bool
    stops_at: datetime | None
    idle_minutes: int
    gpu_seconds_an_hour: int


@register.simple_tag
def lab_of(run: Run) -> Lab | None:
    """Give what a run of interactive work shows; nothing for other runs."""
    if not rules.is_lab(run):
        return None
    return Lab(
        code=run.code,
        case=run.case.code,
        is_open=rules.is_open(run),
        is_over=not run.is_unfinished,
        stops_at=queries.stops_at(run),
        idle_minutes=int(run.knobs.get("idle_minutes", 0)),
        gpu_seconds_an_hour=run.gpus * actions.HOUR_S,
    )


@register.inclusion_tag("lab/_offer.html")
def lab_offer(case: Case) -> dict[str, object]:
    """Offer interactive work beside the recipes, where this factory has it."""
    return {
        "is_offered": actions.is_offered(),
        "title": _(RECIPE.title),
        "summary": _(RECIPE.summary),
        "when_to_use": _(RECIPE.when_to_use),
        "url": f"{reverse('lab:new')}?case={case.code}",
    }

"""Own code on the pages of runs, which come before it: the offer beside the recipes."""

from django import template
from django.urls import reverse
from django.utils.translation import gettext as _

from fabriek.cases.models import Case
from fabriek.runs import own_code
from fabriek_recipes.script.knobs import RECIPE

register = template.Library()


@register.inclusion_tag("programs/_offer.html")
def program_offer(case: Case) -> dict[str, object]:
    """Offer to run own code, where this factory does."""
    return {
        "is_offered": own_code.is_offered(),
        "title": _(RECIPE.title),
        "summary": _(RECIPE.summary),
        "when_to_use": _(RECIPE.when_to_use),
        "url": f"{reverse('programs:new')}?case={case.code}",
    }

"""The flow line of a case, for pages of every stage."""

from django import template
from django.template.context import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString

from fabriek.cases.models import Case

register = template.Library()


@register.simple_tag(takes_context=True)
def journey(context: Context, case: Case, current: str = "case") -> SafeString:
    return format_html('<p class="trail" data-station="{}">{}</p>', current, case)

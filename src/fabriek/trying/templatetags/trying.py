"""Trying a model on the pages of runs, which come before it: the way to one's own session."""

from typing import Any

from django import template

from fabriek.runs.models import Run
from fabriek.trying import rules

register = template.Library()


@register.inclusion_tag("trying/_panel.html", takes_context=True)
def own_session(context: dict[str, Any], run: Run) -> dict[str, object]:
    """Lead to the session where it is the reader's own; nothing for other runs."""
    request = context.get("request")
    person = getattr(request, "user", None)
    is_mine = rules.is_try(run) and person is not None and run.asked_by_id == person.pk
    return {"session_code": run.code if is_mine and run.is_unfinished else ""}

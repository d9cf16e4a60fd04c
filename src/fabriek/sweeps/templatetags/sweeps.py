"""Searches on the pages of runs, which come before them: of which search a run is."""

from django import template

from fabriek.runs.models import Run
from fabriek.sweeps import queries
from fabriek.sweeps.models import Part

register = template.Library()


@register.simple_tag
def trial_of(run: Run) -> Part | None:
    """Give the trial that a run is; nothing for other runs, without asking."""
    return queries.of_trial(run) if run.is_trial else None

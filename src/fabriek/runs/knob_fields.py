"""A setting of a recipe as a field of a form; it reads, and the recipe checks."""

from django import forms
from django.utils.formats import get_format
from django.utils.translation import gettext as _

from fabriek.kernel.numbers import FractionField, WholeNumberField
from fabriek.runs import offers
from fabriek.runs.words import amount


def field(knob: offers.Knob) -> forms.Field:
    """Make a field that only reads.

    Whether a value will do is for the recipe to say, in the same words to people and programs.
    """
    if knob.kind == "boolean":
        return forms.BooleanField(
            label=knob.title, help_text=knob.help, required=False, initial=knob.default
        )
    if knob.choices:
        return forms.ChoiceField(
            label=knob.title,
            help_text=knob.help,
            choices=knob.choices,
            initial=knob.default,
        )
    help_text = f"{knob.help} {_bounds(knob)}".strip()
    proposed = shown(knob.default)
    if knob.kind == "integer":
        return WholeNumberField(label=knob.title, help_text=help_text, initial=proposed)
    kind = forms.CharField if knob.kind == "string" else FractionField
    return kind(
        label=knob.title, help_text=help_text, initial=proposed, required=knob.is_needed
    )


def _bounds(knob: offers.Knob) -> str:
    if knob.minimum is None or knob.maximum is None:
        return ""
    said = {"low": amount(knob.minimum), "high": amount(knob.maximum)}
    if knob.is_above:
        return _("Above %(low)s, up to %(high)s.") % said
    return _("From %(low)s to %(high)s.") % said


def shown(value: object) -> str:
    """Write 0.00002 as people type it, with their own comma, not as 2e-05."""
    if isinstance(value, float):
        plain = f"{value:.10f}".rstrip("0").rstrip(".")
        return plain.replace(".", get_format("DECIMAL_SEPARATOR"))
    return str(value)

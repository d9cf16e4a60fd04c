"""The fields by which somebody says where a setting is searched."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext as _

from fabriek.runs import knob_fields, offers
from fabriek_recipes.searches import Range

SEARCH, LOW, HIGH, SPREAD, CHOICES = "search_", "low_", "high_", "spread_", "choices_"
EVEN, FACTORS = "even", "factors"
LONGEST = 30  # signs of a number


@dataclass(frozen=True, kw_only=True, slots=True)
class Searched:
    """The fields of one setting that can be searched."""

    title: str
    search: BoundField
    low: BoundField | None
    high: BoundField | None
    spread: BoundField | None
    choices: BoundField | None

    @property
    def errors(self) -> list[str]:
        fields = (self.search, self.low, self.high, self.spread, self.choices)
        return [str(error) for field in fields if field for error in field.errors]


def fields(knob: offers.Knob, one: Range, *, is_marked: bool) -> dict[str, forms.Field]:
    """Make the fields of one setting that can be searched; `is_marked`: it is suggested."""
    name = knob.name
    found: dict[str, forms.Field] = {
        SEARCH + name: forms.BooleanField(label=knob.title, required=False, initial=is_marked)
    }
    if one.kind == "choice":
        found[CHOICES + name] = forms.MultipleChoiceField(
            label=_("Among"),
            required=False,
            choices=[(str(choice), knob.said(choice)) for choice in one.choices],
            initial=[str(choice) for choice in one.choices],
            widget=forms.CheckboxSelectMultiple,
        )
        return found
    for prefix, label, value in ((LOW, _("From"), one.low), (HIGH, _("To"), one.high)):
        found[prefix + name] = NumberBox(
            label=label, initial=_plain(one, value), required=False
        )
    found[SPREAD + name] = forms.ChoiceField(
        label=_("Spread"),
        required=False,
        choices=[(FACTORS, _("by factors")), (EVEN, _("evenly"))],
        initial=FACTORS if one.log else EVEN,
    )
    return found


def searched(form: forms.Form, knob: offers.Knob) -> Searched:
    """Bring the fields of one setting together, as far as they are there."""

    def field(prefix: str) -> BoundField | None:
        name = prefix + knob.name
        return form[name] if name in form.fields else None

    return Searched(
        title=knob.title,
        search=form[SEARCH + knob.name],
        low=field(LOW),
        high=field(HIGH),
        spread=field(SPREAD),
        choices=field(CHOICES),
    )


class NumberBox(forms.Field):
    """Reads 0,5 and 0.5 alike; empty: as suggested."""

    def __init__(self, **how: Any) -> None:  # noqa: ANN401  as Django's own
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(widget=widget, **how)

    def to_python(self, value: object) -> float | None:
        text = str(value or "").strip().replace(",", ".")
        if not text:
            return None
        try:
            return float(text[:LONGEST])
        except ValueError as wrong:
            raise forms.ValidationError(_("Write a number in figures.")) from wrong


def _plain(one: Range, value: float) -> str:
    return knob_fields.shown(int(value) if one.kind == "integer" else value)

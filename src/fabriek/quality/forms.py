"""What a lead says of a column."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from fabriek.quality.models import REASON_CHARACTERS, Decision


class DecisionForm(forms.Form):
    choice = forms.ChoiceField(
        label=_("What to do with this column"), choices=Decision.Choice.choices
    )
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=REASON_CHARACTERS,
        help_text=_("Needed to keep the data as they are. Do not write the data here."),
    )

    @classmethod
    def showing(cls, decision: Decision | None, prefix: str) -> "DecisionForm":
        initial: dict[str, Any] = {"choice": Decision.Choice.MASK}
        if decision:
            initial = {"choice": decision.choice, "reason": decision.reason}
        return cls(prefix=prefix, initial=initial)

"""What a lead says of a column, or of several at once."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from fabriek.quality import said
from fabriek.quality.findings import Column
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


class SeveralForm(DecisionForm):
    """One choice and one reason for the columns that are ticked; none is ticked beforehand."""

    columns = forms.MultipleChoiceField(
        label=_("Columns"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "required": _("Tick the columns that this is about."),
            "invalid_choice": _(
                "In one of these columns nothing is found any more. Load the page again."
            ),
        },
    )
    field_order = ("columns", "choice", "reason")

    @classmethod
    def of(cls, columns: Iterable[Column], given: Any = None) -> "SeveralForm":  # noqa: ANN401  a QueryDict
        form = cls(given, prefix="several", initial={"choice": Decision.Choice.MASK})
        form.fields["columns"].choices = [(one.name, _told(one)) for one in columns]  # type: ignore[attr-defined]
        form.fields["choice"].label = _("What to do with these columns")
        return form


def _told(column: Column) -> str:
    """Say what was found in it, and what is decided already."""
    told = f"{column.name}: {', '.join(map(said.kind, column.kinds))}"
    if column.decision is None or not column.is_decided:
        return told
    return f"{told} ({column.decision.get_choice_display()})"

"""What people fill in about a dataset."""

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from fabriek.cases.models import Case
from fabriek.datasets import queries
from fabriek.datasets.models import Dataset, Licence
from fabriek.people.models import Person

YES_NO = {"yes": _("Yes"), "no": _("No")}


class DatasetForm(forms.ModelForm):  # type: ignore[type-arg]
    """Personal data is a question without a default: somebody has to think and answer."""

    licence = forms.ChoiceField(
        label=_("What may be done with it?"), choices=Licence, initial=Licence.CONSORTIUM
    )
    has_personal_data = forms.TypedChoiceField(
        label=_("Does it contain personal data?"),
        help_text=_(
            "Personal data is anything about a person who can be recognised: a name, a number, "
            "a photo, but also a story. If you doubt, choose yes."
        ),
        choices=list(YES_NO.items()),
        coerce=lambda answer: answer == "yes",
        widget=forms.RadioSelect,
    )

    class Meta:
        model = Dataset
        fields = ["title", "description"]
        labels = {"title": _("Name"), "description": _("What is in it?")}
        help_texts = {
            "description": _("Where it comes from, how it was made, and what one should know.")
        }
        widgets = {"description": forms.Textarea(attrs={"rows": 5})}

    def leave_licence_to_leads(self) -> None:
        self.fields["licence"].disabled = True
        self.fields["licence"].help_text = _("A lead of the owner decides about this.")

    @classmethod
    def showing(cls, dataset: Dataset) -> dict[str, Any]:
        """Give the values of a dataset as this form shows them."""
        return {
            "title": dataset.title,
            "description": dataset.description,
            "licence": dataset.licence,
            "has_personal_data": "yes" if dataset.has_personal_data else "no",
        }


class CaseChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Case) -> str:
        return f"{obj.title} ({obj.code})"


class NewDatasetForm(DatasetForm):
    case = CaseChoice(
        label=_("Case"), queryset=Case.objects.none(), to_field_name="code", empty_label=None
    )
    field_order = ["case", "title", "description", "licence", "has_personal_data"]

    def __init__(
        self, given: QueryDict | None, *, person: Person, initial: dict[str, Any]
    ) -> None:
        super().__init__(given, initial=initial)
        self.fields["case"].queryset = queries.open_cases(person)  # type: ignore[attr-defined]


class SeveralFiles(forms.ClearableFileInput):
    allow_multiple_selected = True


class PushForm(forms.Form):
    """Only drawn: what arrives is read by `uploads`, in whole names and without a copy."""

    chosen = forms.FileField(
        label=_("Files"),
        help_text=_("You can choose several at once. A .jsonl file is checked row by row."),
        widget=SeveralFiles,
    )
    folder = forms.CharField(
        label=_("Folder"), required=False, max_length=200, help_text=_("Such as train or test.")
    )
    message = forms.CharField(
        label=_("What is new?"),
        required=False,
        max_length=300,
        help_text=_("One sentence for whoever looks back later."),
    )

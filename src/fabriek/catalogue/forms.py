"""What people fill in about a dataset so that others can find and judge it."""

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from fabriek.agreements.models import Duty, Purpose
from fabriek.catalogue import actions
from fabriek.catalogue.models import Record
from fabriek.catalogue.vocabulary import Language
from fabriek.store.models import Repository


class Words(forms.CharField):
    """Several words in one box, with a comma between them."""

    def to_python(self, value: object) -> list[str]:  # type: ignore[override]
        text = super().to_python(value) or ""
        return [word for part in text.split(",") if (word := " ".join(part.split()))]

    def prepare_value(self, value: object) -> object:
        return ", ".join(map(str, value)) if isinstance(value, list) else value


class RecordForm(forms.ModelForm):  # type: ignore[type-arg]
    """All of it is optional: the page says what each catalogue still lacks."""

    keywords = Words(
        label=_("Keywords"), required=False, help_text=_("With a comma between them.")
    )
    tasks = Words(
        label=_("What models learn from it"),
        required=False,
        help_text=_("In the Hub's own words, such as text-classification, translation."),
    )
    languages = forms.MultipleChoiceField(
        label=_("Languages of its texts"),
        choices=Language,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    offer_purposes = forms.MultipleChoiceField(
        label=_("Purposes that you usually agree to"),
        choices=Purpose,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    offer_duties = forms.MultipleChoiceField(
        label=_("Duties that you ask for"),
        choices=Duty,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = Record
        fields = [*actions.FIELDS]
        help_texts = {
            "title_nl": _("Empty: the name that the dataset has here."),
            "text_nl": _("Empty: the text that the dataset has here."),
            "contact_email": _("Others see this address."),
            "source": _("Where it was taken from: a name or an address."),
            "landing_page": _("Begins with https://"),
            "place": _("Such as Utrecht, or the Netherlands."),
        }
        widgets = {
            **{name: forms.Textarea(attrs={"rows": 5}) for name in ("text_nl", "text_en")},
            **{
                name: forms.Textarea(attrs={"rows": 3})
                for name in ("how_collected", "version_notes")
            },
            **{
                name: forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
                for name in actions.DAYS
            },
        }

    def leave_to_leads(self) -> None:
        """Show what binds the owner, as it is, to somebody who does not lead it."""
        for name in actions.BINDING:
            self.fields[name].disabled = True
            self.fields[name].help_text = _("A lead of the owner decides about this.")

    @classmethod
    def showing(cls, record: Record) -> dict[str, Any]:
        """Give the values of a record as this form shows them; who owns it may have made it."""
        shown = {name: getattr(record, name) for name in actions.FIELDS}
        if record.pk is None or not record.maker:
            shown["maker"] = record.dataset.repository.organisation.name
        return shown

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        begin, end = given.get("period_from"), given.get("period_until")
        if begin and end and end < begin:
            self.add_error(
                "period_until", _("The last day is before the first one. Change one of them.")
            )
        return given

    def parts(self) -> list[tuple[Any, list[forms.BoundField]]]:
        """Give the fields in groups with a heading, in the order people think of them."""
        return [(label, [self[name] for name in names]) for label, names in PARTS]


PARTS = (
    (
        _("What it is"),
        ("title_nl", "text_nl", "title_en", "text_en", "theme", "keywords", "languages"),
    ),
    (_("Who"), ("maker", "contact_name", "contact_email")),
    (
        _("Who may use it"),
        ("access", "offer_purposes", "offer_product", "offer_place", "offer_duties"),
    ),
    (
        _("Where it comes from"),
        ("source", "how_collected", "period_from", "period_until", "place"),
    ),
    (_("More"), ("frequency", "version_notes", "landing_page", "tasks")),
)


class ListedForm(forms.Form):
    listed_for = forms.ChoiceField(
        label=_("Who may find it?"),
        choices=Repository.Listed,
        widget=forms.RadioSelect,
        help_text=_(
            "They read this record. The names of files and what is in them stay with who has "
            "them now."
        ),
    )


class OpenForm(forms.Form):
    why = forms.CharField(
        label=_("Why may everybody have it all the same?"),
        max_length=500,
        help_text=_(
            "Such as: the people in it agreed to this, or it was made public by law. The "
            "answer is kept with the history of the case."
        ),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    sure = forms.BooleanField(label=_("I know that copies already made cannot be taken back."))

    def __init__(self, given: QueryDict | None, *, asks_why: bool) -> None:
        super().__init__(given)
        if not asks_why:
            del self.fields["why"]

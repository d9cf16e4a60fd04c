"""What a lead fills in to open a model."""

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from fabriek.kernel.text import PLAIN
from fabriek.registry import for_everybody
from fabriek.registry.for_everybody import Seen
from fabriek.registry.models import Model
from fabriek.registry.opening import TEXT_CHARACTERS, WHY_CHARACTERS
from fabriek.store.actions import NAME_CHARACTERS


class OpenForm(forms.Form):
    title = forms.CharField(
        label=_("Its title"),
        max_length=200,
        validators=[PLAIN],
        help_text=_(
            "Everybody reads it. It may come from the title of your case or of closed data: "
            "change what is not for everybody."
        ),
    )
    name = forms.CharField(
        label=_("How programs call it"),
        max_length=NAME_CHARACTERS,
        required=False,
        validators=[PLAIN],
        help_text=_(
            "The name that it has now tells of your case, which is confidential, and leads "
            "nowhere once the model is open. Leave this empty to have one made of the title. "
            "The code of the model comes behind it."
        ),
    )
    about = forms.CharField(
        label=_("What is it for?"),
        max_length=TEXT_CHARACTERS,
        required=False,
        validators=[PLAIN],
        help_text=_("A few sentences for the catalogue. People find the model by these words."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    why = forms.CharField(
        label=_("Why may everybody have it all the same?"),
        max_length=WHY_CHARACTERS,
        validators=[PLAIN],
        help_text=_("Such as: the people in the data agreed to this. Kept with the case."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    tells = forms.BooleanField(
        label=_(
            "Everybody may read what README.md says of our case, although it is confidential."
        )
    )
    sure = forms.BooleanField(label=_("I know that copies already made cannot be taken back."))

    def __init__(
        self, given: QueryDict | None, *, model: Model, seen: Seen, asks_why: bool
    ) -> None:
        self.model = model
        told = for_everybody.tells(model.case, model.title)
        super().__init__(given, initial={"title": "" if told else model.title})
        asked = {"why": asks_why, "name": seen.name_tells, "tells": seen.readme_tells}
        for field, is_asked in asked.items():
            if not is_asked:
                del self.fields[field]

    def clean(self) -> None:
        for field in ("title", "name", "about"):
            words = self.cleaned_data.get(field, "")
            if sentence := for_everybody.why_not_said(self.model, words):
                self.add_error(field, sentence)

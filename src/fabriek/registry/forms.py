"""What a lead fills in to open a model."""

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from fabriek.kernel.text import PLAIN
from fabriek.registry.opening import TEXT_CHARACTERS, WHY_CHARACTERS


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
    sure = forms.BooleanField(label=_("I know that copies already made cannot be taken back."))

    def __init__(self, given: QueryDict | None, *, title: str, asks_why: bool) -> None:
        super().__init__(given, initial={"title": title})
        if not asks_why:
            del self.fields["why"]

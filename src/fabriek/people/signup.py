"""What the sign-up page asks beside e-mail address and password."""

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from fabriek.kernel import text
from fabriek.people.models import Person


class SignupForm(forms.Form):
    """Mixed into allauth's own form, which calls `signup` once the person is saved."""

    name = forms.CharField(
        label=_("Your name"),
        max_length=120,
        help_text=_("As colleagues and partners may read it."),
        validators=[text.PLAIN],
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    field_order = ["name", "email", "password1"]

    def clean_name(self) -> str:
        return text.line(self.cleaned_data["name"])

    def signup(self, _request: HttpRequest, person: Person) -> None:
        person.name = self.cleaned_data["name"]
        person.save(update_fields=["name"])

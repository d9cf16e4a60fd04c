"""What people fill in about organisations, members and tokens."""

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from fabriek.kernel.numbers import WholeNumberField
from fabriek.people import foreign_numbers, numbers, queries, rules
from fabriek.people.countries import COUNTRIES
from fabriek.people.models import Invitation, Organisation, Role, Scope, Token
from fabriek.people.numbers import NumberProblem

FIGURES = ["staff_count", "turnover_eur", "balance_eur"]


class OrganisationEditForm(forms.ModelForm):  # type: ignore[type-arg]
    kind = forms.ChoiceField(
        label=_("What kind of organisation is it?"),
        choices=Organisation.Kind,
        widget=forms.RadioSelect,
    )
    country = forms.ChoiceField(
        label=_("Country"), choices=list(COUNTRIES.items()), initial="NL"
    )

    class Meta:
        model = Organisation
        fields = ["name", "kind", "country", "region", *FIGURES]
        field_classes = dict.fromkeys(FIGURES, WholeNumberField)
        labels = {
            "name": _("Name of the organisation"),
            "region": _("Province or region"),
            "staff_count": _("Staff"),
            "turnover_eur": _("Turnover a year"),
            "balance_eur": _("Balance sheet total"),
        }
        help_texts = {
            "staff_count": _(
                "In full-time jobs, averaged over the year. Include partner companies and "
                "linked companies."
            ),
            "turnover_eur": _("In whole euros, of the last year that was closed."),
            "balance_eur": _("In whole euros, of the last year that was closed."),
        }

    def clean_region(self) -> str:
        return str(self.cleaned_data["region"] or "")

    def clean_country(self) -> str:
        """Keep the country to the number abroad that the organisation is known by."""
        country, number = str(self.cleaned_data["country"]), self.instance.foreign_number
        if number and (wrong := rules.foreign_refusal(number, country)):
            raise forms.ValidationError(wrong[1])
        return country


class OrganisationForm(OrganisationEditForm):
    class Meta(OrganisationEditForm.Meta):
        fields = ["kvk_number", "foreign_number", *OrganisationEditForm.Meta.fields]

    # People write the number with spaces and dots, so the box is wider than the column.
    kvk_number = forms.CharField(
        label=_("KvK number"),
        max_length=20,
        help_text=_("8 digits, on your extract of the trade register."),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    foreign_number = forms.CharField(
        label=_("EUID or VAT number"),
        required=False,
        max_length=60,
        help_text=_(
            "Of the country in which you are registered, with its letters in front: "
            "DEK1101R.HRB116737 or BE0123456789. Only how it is written is checked; no "
            "register and no tax office (VIES) is asked."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    field_order = ["kvk_number", "foreign_number"]

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data)
        number = self.fields["kvk_number"]
        number.required = not (data and data.get("foreign_number", "").strip())
        number.error_messages["required"] = str(rules.KVK_SENTENCES[NumberProblem.EMPTY])

    def clean_kvk_number(self) -> str:
        return numbers.normalise(self.cleaned_data["kvk_number"])

    def clean_foreign_number(self) -> str:
        return foreign_numbers.normalise(self.cleaned_data["foreign_number"])

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if self.errors.keys() & {"kvk_number", "foreign_number", "country"}:
            return given
        names = ("kvk_number", "foreign_number", "country")
        asked = Organisation(**{name: given[name] for name in names})
        if wrong := rules.number_refusal(asked):
            self.add_error(*wrong)
        elif queries.is_registered(asked.register_number):
            field = "kvk_number" if asked.kvk_number else "foreign_number"
            self.add_error(field, rules.number_taken(asked.registered_as))
        return given


class InviteForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Invitation
        fields = ["email", "role"]
        labels = {"email": _("E-mail address"), "role": _("Role")}
        help_texts = {
            "role": _(
                "A lead decides for the organisation: proposes cases, invites and applies. A "
                "member prepares and works along."
            ),
        }


class RoleForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"), choices=Role)


class TokenForm(forms.ModelForm):  # type: ignore[type-arg]
    scope = forms.ChoiceField(
        label=_("What may it do?"),
        choices=[
            (Scope.READ, _("look only: find, read and download what I may see")),
            (
                Scope.WRITE,
                _(
                    "do everything I may do: also send and remove files, start runs, and sign "
                    "in my name"
                ),
            ),
        ],
        initial=Scope.READ,
        help_text=_("Choose the least that is enough. You can always make another token."),
        widget=forms.RadioSelect,
    )
    days = forms.TypedChoiceField(
        label=_("How long is it valid?"),
        coerce=int,
        initial=90,
        choices=[
            (7, _("a week")),
            (30, _("a month")),
            (90, _("three months")),
            (365, _("a year")),
        ],
    )

    class Meta:
        model = Token
        fields = ["name", "scope"]
        labels = {"name": _("Where will you use it?")}
        help_texts = {"name": _("For yourself, such as “laptop at work”.")}

    field_order = ["name", "scope", "days"]

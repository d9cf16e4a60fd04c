"""What people fill in about a case, its partners and its intake."""

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from fabriek.cases.models import Case, Intake, Partner, Sector
from fabriek.kernel.numbers import WholeNumberField
from fabriek.people import queries
from fabriek.people.models import Organisation, Person

TRL = [
    (1, _("1: the idea is there")),
    (2, _("2: we know how it could work")),
    (3, _("3: a first trial shows that it can work")),
    (4, _("4: it works in a test set-up")),
    (5, _("5: it works with real data")),
    (6, _("6: it was shown in a realistic setting")),
    (7, _("7: a prototype works in practice")),
    (8, _("8: it is complete and tested")),
    (9, _("9: it is in daily use")),
]


class CaseForm(forms.ModelForm):  # type: ignore[type-arg]
    sector = forms.ModelChoiceField(
        label=_("Sector"), queryset=Sector.objects.filter(is_offered=True)
    )
    trl_now = forms.TypedChoiceField(
        label=_("How far are you now?"),
        choices=TRL,
        coerce=int,
        initial=2,
        help_text=_("On the scale of technology readiness (TRL), from 1 to 9."),
    )
    trl_aimed = forms.TypedChoiceField(
        label=_("How far do you want to get?"), choices=TRL, coerce=int, initial=5
    )

    class Meta:
        model = Case
        fields = [
            "title",
            "problem",
            "sector",
            "data_description",
            "trl_now",
            "trl_aimed",
            "is_confidential",
        ]
        labels = {
            "title": _("Title"),
            "problem": _("What do you want to solve?"),
            "data_description": _("Which data do you have, or do you need?"),
            "is_confidential": _("This case is confidential"),
        }
        help_texts = {
            "title": _("One line, as you would say it to a colleague."),
            "problem": _(
                "Who has the problem, what goes wrong now, and what would be better? "
                "A few sentences are enough."
            ),
            "data_description": _("What is it about, how much is it, and whose is it?"),
            "is_confidential": _(
                "Even the title then stays within the consortium and the factory."
            ),
        }
        widgets = {
            "problem": forms.Textarea(attrs={"rows": 6}),
            "data_description": forms.Textarea(attrs={"rows": 4}),
        }

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        now, aimed = given.get("trl_now"), given.get("trl_aimed")
        if now and aimed and aimed < now:
            self.add_error(
                "trl_aimed",
                _("This cannot be lower than where you are now. Change one of the two."),
            )
        return given


class NewCaseForm(CaseForm):
    """With the choice of organisation, for those who belong to more than one."""

    organisation = forms.ModelChoiceField(
        label=_("For which organisation?"), queryset=Organisation.objects.none()
    )
    field_order = ["organisation"]

    def __init__(self, person: Person, data: QueryDict | None = None) -> None:
        super().__init__(data)
        field = self.fields["organisation"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Organisation.objects.filter(pk__in=person.organisation_ids)
        if len(person.organisation_ids) == 1:
            field.initial = person.organisation_ids[0]
            field.widget = forms.HiddenInput()


class PartnerForm(forms.ModelForm):  # type: ignore[type-arg]
    """Finds the organisation by its number or by its name."""

    who = forms.CharField(
        label=_("Which organisation?"),
        max_length=200,
        help_text=_("Its KvK number, its EUID or VAT number abroad, or a part of its name."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    field_order = ["who"]

    class Meta:
        model = Partner
        fields = ["part", "message"]
        labels = {"part": _("What is their part?"), "message": _("Your message to them")}
        help_texts = {
            "message": _("They read this, the title of the case and who invites, and no more.")
        }
        widgets = {"message": forms.Textarea(attrs={"rows": 4})}

    def __init__(self, case: Case, data: QueryDict | None = None) -> None:
        super().__init__(data)
        self.case = case

    def clean_who(self) -> Organisation:
        asked = self.cleaned_data["who"]
        found = list(queries.organisations_like(asked)[: queries.MOST_FOUND + 1])
        exact = [one for one in found if one.name.casefold() == asked.casefold()]
        if len(exact) == 1:
            found = exact
        if len(found) != 1:
            raise forms.ValidationError(_not_one(found))
        return self._invitable(found[0])

    def _invitable(self, organisation: Organisation) -> Organisation:
        if organisation.pk == self.case.organisation_id:
            raise forms.ValidationError(
                _("This organisation proposes the case itself. Invite another one.")
            )
        if self.case.partners.filter(organisation=organisation).exists():
            raise forms.ValidationError(
                _("%(name)s was invited to this case before. See the consortium.")
                % {"name": organisation.name}
            )
        return organisation


class IntakeForm(forms.ModelForm):  # type: ignore[type-arg]
    purpose = forms.ChoiceField(
        label=_("What do you want to do on the machine?"),
        choices=Intake.Purpose,
        widget=forms.RadioSelect,
    )
    experience = forms.ChoiceField(
        label=_("How much experience do you have with such machines?"),
        choices=Intake.Experience,
        widget=forms.RadioSelect,
    )

    class Meta:
        model = Intake
        fields = ["purpose", "experience", "gpu_hours_guess", "months", "is_eu_funded"]
        field_classes = {"gpu_hours_guess": WholeNumberField, "months": WholeNumberField}
        labels = {
            "gpu_hours_guess": _("How many GPU-hours do you think you need?"),
            "months": _("For how many months?"),
            "is_eu_funded": _("This is part of a European research project"),
        }
        help_texts = {
            "gpu_hours_guess": _(
                "One GPU-hour is one graphics processor for one hour. Leave it empty if you "
                "have no idea."
            ),
            "is_eu_funded": _("Such as Horizon Europe or Digital Europe."),
        }


def _not_one(found: list[Organisation]) -> str:
    if not found:
        return str(
            _(
                "No organisation with this number or name is registered here. Check it, or "
                "ask them to register first."
            )
        )
    if len(found) > queries.MOST_FOUND:
        return str(_("Many organisations match. Type more of the name, or the number."))
    names = "; ".join(f"{one.name} ({one.registered_as})" for one in found)
    return _("More than one organisation matches: %(names)s. Type the number of one.") % {
        "names": names
    }

"""What people fill in to offer data, to ask for it, and to answer."""

from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.agreements import actions, proposals, queries, terms
from fabriek.agreements.models import Agreement, Duty, Place, Product, Purpose
from fabriek.agreements.proposals import Proposal
from fabriek.agreements.terms import Terms
from fabriek.cases.models import Case
from fabriek.kernel.errors import Invalid, Text
from fabriek.people.models import Person
from fabriek.store.models import Repository

ANOTHER_CIRCLE = _(
    "Numbers (KvK, EUID or VAT) of organisations in that case, with commas between; empty: the "
    "whole consortium. All for whom it is sign anew. Who you leave out uses the data no longer "
    "once the new text is in force; what it made before keeps the terms of its day."
)
USUAL = timedelta(days=365)  # what most agreements last, to begin with
WITH, WITHOUT = "with", "without"
WITH_LEADER = (
    (WITH, _("yes: those that are named, and the organisation that leads the case")),
    (WITHOUT, _("no: only those that are named")),
)


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        # Without a last day a browser takes years of five digits and more.
        super().__init__(attrs={"max": "9999-12-31"}, format="%Y-%m-%d")


class CaseChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Case) -> str:
        return f"{obj.title} ({obj.code})"


class TermsForm(forms.Form):
    """The terms themselves. After `is_valid` there is a `proposal`, and its `text`."""

    use_required_attribute = False

    purposes = forms.MultipleChoiceField(
        label=_("What for?"), choices=Purpose, widget=forms.CheckboxSelectMultiple
    )
    product = forms.ChoiceField(
        label=_("What may come out?"),
        choices=Product,
        widget=forms.RadioSelect,
        initial=Product.MODEL_API,
        help_text=_("Each of these allows what stands above it too."),
    )
    place = forms.ChoiceField(
        label=_("Where?"),
        choices=Place,
        widget=forms.RadioSelect,
        initial=Place.SHARED,
        help_text=_("Each of these is stricter than the one above it."),
    )
    duties = forms.MultipleChoiceField(
        label=_("Duties"),
        choices=Duty,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        initial=[Duty.DELETE],
    )
    ends_on = forms.DateField(
        label=_("Last day"),
        widget=DayInput(),
        help_text=_("From the day after, nobody may read the data, and its runs are stopped."),
    )
    conditions = forms.CharField(
        label=_("Other conditions"),
        required=False,
        max_length=terms.LONGEST_CONDITIONS,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("People read these and keep to them; the factory's programs cannot."),
    )

    def __init__(
        self,
        typed: QueryDict | None,
        *,
        person: Person,
        replaces: Agreement | None = None,
    ) -> None:
        started = _as_typed(replaces) if replaces else {}
        super().__init__(typed, initial=started)
        self.person, self.replaces = person, replaces
        self.proposal: Proposal | None = None
        self.text = ""
        if not replaces:
            self.fields["ends_on"].initial = timezone.localdate() + USUAL

    def clean(self) -> dict[str, Any]:
        if not self.errors:
            try:
                self.proposal = self._proposal(self.cleaned_data)
                self.text = actions.preview(self.proposal)
            except Invalid as refusal:
                self._show(refusal.fields or {"": refusal.sentence})
        return self.cleaned_data

    def _proposal(self, given: dict[str, Any]) -> Proposal:
        raise NotImplementedError

    def _terms(self, given: dict[str, Any]) -> Terms:
        today = timezone.localdate()
        return Terms(
            purposes=frozenset(Purpose(one) for one in given["purposes"]),
            product=Product(given["product"]),
            place=Place(given["place"]),
            duties=frozenset(Duty(one) for one in given["duties"]),
            begins_at=proposals.start_of(today),
            ends_at=proposals.end_of(given["ends_on"]),
            conditions=terms.conditions(given["conditions"]),
        )

    def _show(self, fields: dict[str, Text]) -> None:
        for name, sentence in fields.items():
            said = ValidationError(str(sentence))
            self.add_error(name if name in self.fields else None, said)


class OfferForm(TermsForm):
    """By the owner. The case is typed, not chosen: a list would tell whose cases there are."""

    case = forms.CharField(
        label=_("Code of the case"),
        max_length=60,
        help_text=_("Such as C26-0012. Whoever wants the data can tell you."),
    )
    kvk_number = forms.CharField(
        label=_("KvK number of its organisation"),
        max_length=60,
        help_text=_(
            "Of the organisation that leads the case, to be sure that it is the one. Of one "
            "abroad: its EUID or VAT number. The factory checks how such a number is written, "
            "and asks no register whose it is (VIES can tell)."
        ),
    )
    named = forms.CharField(
        label=_("Only these organisations"),
        required=False,
        max_length=400,
        help_text=_(
            "Numbers (KvK, EUID or VAT) of organisations in that case, with commas between. "
            "Leave it empty to let the whole consortium use the data."
        ),
    )
    with_leader = forms.ChoiceField(
        label=_("If you name organisations: may who leads the case use the data too?"),
        choices=WITH_LEADER,
        widget=forms.RadioSelect,
        required=False,
        initial=WITH,
        help_text=_(
            "Who you leave out does not see this agreement, the data, or what runs on it show. "
            "It does see that there are runs, and what they cost, as it leads the case."
        ),
    )
    field_order = ("case", "kvk_number", "named", "with_leader")

    def __init__(
        self,
        typed: QueryDict | None,
        *,
        repository: Repository,
        person: Person,
        replaces: Agreement | None = None,
    ) -> None:
        super().__init__(typed, person=person, replaces=replaces)
        self.repository = repository
        if replaces:
            del self.fields["case"], self.fields["kvk_number"]
            self.initial = {**self.initial, **_as_typed_for_whom(replaces)}
            self.fields["named"].help_text = ANOTHER_CIRCLE

    def _proposal(self, given: dict[str, Any]) -> Proposal:
        if self.replaces:
            case = self.replaces.case
        else:
            case = queries.case_told(given["case"], given["kvk_number"], to=self.person)
        asked = given["named"].split(",")
        return Proposal(
            repository=self.repository,
            case=case,
            terms=self._terms(given),
            named=queries.organisations_told(case, asked, to=self.person),
            with_leader=given["with_leader"] != WITHOUT,
            replaces=self.replaces,
        )


class AskForm(TermsForm):
    """By people of a case; the owner then signs, asks something, or proposes other terms."""

    case = CaseChoice(
        label=_("For which case?"), queryset=Case.objects.none(), to_field_name="code"
    )
    field_order = ("case",)

    def __init__(
        self,
        typed: QueryDict | None,
        *,
        repository: Repository,
        person: Person,
        replaces: Agreement | None = None,
        case: str = "",
    ) -> None:
        super().__init__(typed, person=person, replaces=replaces)
        self.repository = repository
        if replaces:
            del self.fields["case"]
        else:
            choice = self.fields["case"]
            mine = queries.own_open_cases(person)
            choice.queryset = mine  # type: ignore[attr-defined]
            choice.empty_label = None  # type: ignore[attr-defined]
            choice.initial = case

    def _proposal(self, given: dict[str, Any]) -> Proposal:
        old = self.replaces
        return Proposal(
            repository=self.repository,
            case=old.case if old else given["case"],
            terms=self._terms(given),
            named=tuple(old.organisations.all()) if old else (),
            with_leader=old.with_leader if old else True,
            replaces=self.replaces,
        )


class MessageForm(forms.Form):
    use_required_attribute = False
    text = forms.CharField(
        label=_("Your question or answer"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("People of all parties read it. Staff of the factory do not."),
    )


class ReasonForm(forms.Form):
    use_required_attribute = False
    reason = forms.CharField(
        label=_("Reason"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("People of all parties read it."),
    )


def _as_typed_for_whom(agreement: Agreement) -> dict[str, str]:
    """Give whom an agreement is for as the form of an offer shows it."""
    named = sorted(one.register_number for one in agreement.organisations.all())
    return {
        "named": ", ".join(named),
        "with_leader": WITH if agreement.with_leader else WITHOUT,
    }


def _as_typed(agreement: Agreement) -> dict[str, Any]:
    """Give the terms of an agreement as the form shows them."""
    return {
        "purposes": agreement.purposes,
        "product": agreement.product,
        "place": agreement.place,
        "duties": agreement.duties,
        "ends_on": agreement.last_day,
        "conditions": agreement.conditions,
    }

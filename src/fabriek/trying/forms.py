"""The forms of trying a model: who pays and for how long; and what is asked."""

from collections.abc import Mapping
from typing import Any, cast
from uuid import uuid4

from django import forms
from django.forms.utils import ErrorDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.allocations.models import Allocation
from fabriek.kernel import words
from fabriek.kernel.errors import Invalid
from fabriek.kernel.numbers import WholeNumberField
from fabriek.people.models import Person
from fabriek.registry.models import Model
from fabriek.runs import longest
from fabriek.runs.paid_form import PricedForm
from fabriek.runs.prices import Price
from fabriek.trying import actions, queries
from fabriek_recipes.try_model import lines


class StartForm(PricedForm):
    time_field = "minutes"
    minutes = WholeNumberField(
        label=gettext_lazy("Minutes at most"),
        initial=actions.MINUTES,
        min_value=actions.MINUTES_LEAST,
        max_value=actions.MINUTES_MAX,
        help_text=gettext_lazy("For so long the GPU is set aside. You can end it sooner."),
    )
    allocation = forms.ChoiceField(label=gettext_lazy("Who pays"))

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, model: Model, by: Person
    ) -> None:
        super().__init__(data)
        self.model, self.by = model, by
        self.price: Price | None = None
        self.proposed_minutes = _proposed_minutes()
        self.fields["minutes"].initial = self.proposed_minutes
        found = queries.allocations_for(model, by)
        self.allocations: dict[str, Allocation] = {one.account: one for one in found}
        field = cast("forms.ChoiceField", self.fields["allocation"])
        field.choices = [(one.account, _left(one)) for one in found]
        field.initial = next(iter(self.allocations), "")
        if len(found) == 1:
            field.widget = forms.HiddenInput()

    def allocation_chosen(self) -> Allocation:
        return self.allocations[self.cleaned_data["allocation"]]

    def look(self) -> None:
        """Work out the price of what the empty form proposes, or say why there is none.

        Raises: Refused, for what nobody could fill in otherwise.
        """
        case = next(iter(self.allocations.values())).case
        wish = actions.Wish(minutes=self.proposed_minutes)
        try:
            self.price = actions.price(self.model, wish, case=case, by=self.by)
        except Invalid as refusal:
            # A form that nobody sent has neither yet.
            self._errors, self.cleaned_data = ErrorDict(), {}
            self.add_error(None, str(refusal))

    def wish(self) -> actions.Wish:
        given = self.cleaned_data
        return actions.Wish(minutes=given["minutes"], wish_id=given.get("wish_id") or uuid4())

    def _ask_price(self) -> None:
        paid = self.allocation_chosen()
        cost = actions.price(self.model, self.wish(), case=paid.case, by=self.by)
        self.price = cost
        if cost.gpu_seconds_held > paid.gpu_seconds_left:
            said = _("This takes %(held)s; you have %(left)s. Choose fewer minutes.")
            held, left = cost.gpu_seconds_held, paid.gpu_seconds_left
            self.add_error(
                "minutes",
                said % {"held": words.gpu_hours(held), "left": words.gpu_hours(left)},
            )


class QuestionForm(forms.Form):
    prompt = forms.CharField(
        label=gettext_lazy("Your question"),
        widget=forms.Textarea(attrs={"rows": 4}),
        max_length=lines.PROMPT_CHARACTERS_MAX,
    )
    tokens_max = WholeNumberField(
        label=gettext_lazy("Longest answer"),
        initial=256,
        min_value=1,
        max_value=lines.TOKENS_MAX,
        help_text=gettext_lazy(
            "Where an answer is cut off when the model does not stop itself."
        ),
    )
    temperature = forms.FloatField(
        label=gettext_lazy("Temperature"),
        initial=0,
        min_value=0,
        max_value=lines.TEMPERATURE_MAX,
        localize=True,
        help_text=gettext_lazy(
            "0 takes the likeliest word each time, so that the same question gives the same "
            "answer. Higher draws by lot, and lets less likely words through."
        ),
    )
    seed = WholeNumberField(
        label=gettext_lazy("Seed"),
        initial=1,
        min_value=0,
        max_value=lines.SEED_MAX,
        help_text=gettext_lazy("Both draw with the same one. Another gives other answers."),
    )
    system = forms.CharField(
        label=gettext_lazy("Instruction before the question"),
        widget=forms.Textarea(attrs={"rows": 2}),
        max_length=lines.SYSTEM_CHARACTERS_MAX,
        required=False,
        help_text=gettext_lazy("The system text. Not every model takes one."),
    )

    goes_on = forms.BooleanField(
        label=gettext_lazy("Go on with the conversation"),
        required=False,
        initial=True,
        help_text=gettext_lazy(
            "What you asked before is sent along, with what each answered itself. Without this "
            "your question begins a new conversation."
        ),
    )

    def given(self) -> actions.Given:
        return actions.Given(**self.cleaned_data)

    def clean(self) -> dict[str, Any]:
        if not self.errors:
            try:
                actions.checked(self.given())
            except Invalid as refusal:
                for name, said in refusal.fields.items():
                    self.add_error(name, str(said))
        return self.cleaned_data


def _proposed_minutes() -> int:
    """Propose no more than the machine lets a session be."""
    most_s = longest.most_s()
    if most_s <= 0:
        return actions.MINUTES
    return max(actions.MINUTES_LEAST, min(actions.MINUTES, most_s // actions.MINUTE_S))


def _left(allocation: Allocation) -> str:
    return _("%(case)s, %(account)s: %(left)s left") % {
        "case": allocation.case.code,
        "account": allocation.account,
        "left": words.gpu_hours(allocation.gpu_seconds_left),
    }

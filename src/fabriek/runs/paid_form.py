"""What every form that asks for a run has: its price, who pays, and what the run works on."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast
from uuid import uuid4

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.allocations.models import Allocation
from fabriek.cases.models import Case
from fabriek.kernel import words
from fabriek.kernel.errors import Refused
from fabriek.people.models import Person
from fabriek.runs import choices, queries
from fabriek.store.models import Revision
from fabriek_recipes.kinds import Recipe

# How fields are named; a link to a form names settings so too.
INPUT, KNOB = "input_", "knob_"
GIVEN_MAX = 100
OFF = "off"  # a box that is not ticked sends nothing, so that a link says it
OTHERS = frozenset({"gpus", "nodes", "seed", "minutes"})


class PricedForm(forms.Form):
    # A button that is pressed twice starts one run.
    wish_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4, required=False)
    # Which field asks for how long.
    time_field = ""

    def clean(self) -> dict[str, Any]:
        if not self.errors:
            try:
                self._ask_price()
            except Refused as refusal:  # also “busy”: what was filled in stays
                self._show(refusal)
        return self.cleaned_data

    def _ask_price(self) -> None:
        """Work out the price of what was filled in, and check it. Raises: Refused."""
        raise NotImplementedError

    def _show(self, refusal: Refused) -> None:
        is_of_time = "timeout_s" in refusal.fields
        self.add_error((self.time_field if is_of_time else "") or None, str(refusal))


class PaidForm(PricedForm):
    allocation = forms.ChoiceField(label=gettext_lazy("GPU-hours"))

    def __init__(
        self, data: Mapping[str, Any] | None, *, recipe: Recipe, case: Case, by: Person
    ) -> None:
        super().__init__(data)
        self.recipe, self.case, self.by = recipe, case, by
        self.choices = choices.inputs_for(case, recipe, by)
        self.allocations = {one.account: one for one in queries.allocations_of(case)}
        self._add_allocations()

    def allocation_chosen(self) -> Allocation:
        return self.allocations[self.cleaned_data["allocation"]]

    def _revisions(self, given: Mapping[str, Any]) -> dict[str, Revision]:
        return {
            need.name: choice.revision
            for need in self.recipe.inputs
            for choice in self.choices[need.name]
            if choice.reference == given.get(INPUT + need.name)
        }

    def _offer_older(self, named: Mapping[str, str]) -> None:
        """Offer the revision that was looked at too, where there is a newer one by now."""
        for need in self.recipe.inputs:
            asked = str(self.data.get(INPUT + need.name) or named.get(need.name, ""))
            code, _sign, number = asked.partition("@")
            offered = self.choices[need.name]
            codes = [one.revision.repository.code for one in offered]
            if number and code in codes and asked not in [one.reference for one in offered]:
                with suppress(Refused):  # then the newest is what there is
                    offered.append(choices.older_choice(asked, need.kind, self.by))

    def _add_asked_inputs(self, *, lacking: str) -> None:
        """Ask for each of the recipe's inputs; `lacking`: what is said of one that must be."""
        for need in self.recipe.inputs:
            offered = self.choices[need.name]
            self.fields[INPUT + need.name] = forms.ChoiceField(
                label=_(need.title),
                help_text=_(need.help),
                required=need.required,
                choices=[("", _("Choose…")), *self._offered(need.name)],
                initial=offered[0].reference if offered and need.required else "",
                error_messages={"required": lacking},
            )

    def _check_hours(self, held: int) -> None:
        """Say of the hours that were asked for when the GPU time that is left is less."""
        left = self.allocation_chosen().gpu_seconds_left
        if held <= left:
            return
        said = _(
            "This takes %(held)s; you have %(left)s. Choose fewer hours or fewer GPUs, or "
            "ask for more GPU-hours."
        )
        self.add_error(
            "hours", said % {"held": words.gpu_hours(held), "left": words.gpu_hours(left)}
        )

    def _offered(self, name: str) -> list[tuple[str, str]]:
        offered = self.choices[name]
        return [(one.reference, f"{one.reference}  {one.title}".strip()) for one in offered]

    def _add_allocations(self) -> None:
        field = cast("forms.ChoiceField", self.fields["allocation"])
        field.choices = [(one.account, _left(one)) for one in self.allocations.values()]
        field.initial = next(iter(self.allocations), "")
        if len(self.allocations) == 1:
            field.widget = forms.HiddenInput()


def _left(allocation: Allocation) -> str:
    return _("%(account)s: %(left)s left, until %(day)s") % {
        "account": allocation.account,
        "left": words.gpu_hours(allocation.gpu_seconds_left),
        "day": words.day(allocation.ends_on),
    }

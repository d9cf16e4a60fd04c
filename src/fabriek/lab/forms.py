"""The form of interactive work: how many GPUs, for how long, with which data."""

from collections.abc import Mapping
from typing import Any, cast
from uuid import uuid4

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.cases.models import Case
from fabriek.kernel import words
from fabriek.kernel.numbers import WholeNumberField
from fabriek.lab import actions, queries
from fabriek.people.models import Person
from fabriek.runs import actions as runs
from fabriek.runs.models import Run
from fabriek.runs.paid_form import INPUT, PaidForm
from fabriek_recipes.lab.knobs import RECIPE

IDLE_MAX_MINUTES = 1_440


class LabForm(PaidForm):
    time_field = "hours"
    gpus = WholeNumberField(
        label=gettext_lazy("GPUs"),
        initial=1,
        min_value=1,
        max_value=runs.GPUS_MAX,
        help_text=gettext_lazy("All on one computer. One is enough to look around."),
    )
    hours = WholeNumberField(
        label=gettext_lazy("Hours"),
        initial=1,
        min_value=1,
        max_value=actions.HOURS_MAX,
        help_text=gettext_lazy(
            "It stops by itself after this time. Save your work: it is kept."
        ),
    )
    idle_minutes = WholeNumberField(
        label=gettext_lazy("Stop when nothing happens for"),
        initial=30,
        min_value=1,
        max_value=IDLE_MAX_MINUTES,
        help_text=gettext_lazy(
            "A notebook that computes counts as work; an open page in a browser does not."
        ),
    )
    earlier = forms.ChoiceField(
        label=gettext_lazy("Begin with the files of"),
        required=False,
        help_text=gettext_lazy("They are copied: what is in the earlier session stays there."),
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        case: Case,
        by: Person,
        proposed: str = "",
    ) -> None:
        """`proposed`: the code of the earlier session that a link to this form asks for."""
        super().__init__(data, recipe=RECIPE, case=case, by=by)
        self.earlier_runs: dict[str, Run] = {
            run.code: run for run in queries.earlier(case)[: queries.EARLIER_MAX]
        }
        self._add_earlier(proposed)
        self._add_inputs()

    @property
    def input_names(self) -> list[str]:
        return [INPUT + need.name for need in RECIPE.inputs]

    def wish(self) -> actions.Wish:
        given = self.cleaned_data
        return actions.Wish(
            hours=given["hours"],
            gpus=given["gpus"],
            idle_minutes=given["idle_minutes"],
            inputs=self._revisions(given),
            earlier=self.earlier_runs.get(given["earlier"]),
            wish_id=given.get("wish_id") or uuid4(),
        )

    def _ask_price(self) -> None:
        wish = actions.run_wish(self.wish())
        price = runs.price_for(wish, case=self.case, by=self.by)
        self._check_hours(price.gpu_seconds_held)

    def _add_earlier(self, proposed: str) -> None:
        field = cast("forms.ChoiceField", self.fields["earlier"])
        field.choices = [
            ("", _("An empty folder")),
            *(
                (code, f"{code}, {words.moment(r.asked_at)}")
                for code, r in self.earlier_runs.items()
            ),
        ]
        field.initial = proposed if proposed in self.earlier_runs else ""
        if not self.earlier_runs:
            field.widget = forms.HiddenInput()

    def _add_inputs(self) -> None:
        for need in RECIPE.inputs:
            self.fields[INPUT + need.name] = forms.ChoiceField(
                label=_(need.title),
                help_text=_(need.help),
                required=False,
                choices=[("", _("None")), *self._offered(need.name)],
            )

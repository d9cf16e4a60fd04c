"""The form of own code: what was sent, how it is started, with which data, for how long."""

from collections.abc import Mapping
from typing import Any, cast
from uuid import uuid4

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.cases.models import Case
from fabriek.kernel.errors import Refused
from fabriek.kernel.facts import Fact
from fabriek.kernel.numbers import WholeNumberField
from fabriek.people.models import Person
from fabriek.programs.actions import NAME_CHARACTERS
from fabriek.runs import actions as runs
from fabriek.runs import engine, prices
from fabriek.runs.paid_form import INPUT, KNOB, PaidForm
from fabriek.runs.price_words import price_facts
from fabriek_recipes.script.knobs import COMMAND_CHARACTERS, RECIPE
from fabriek_recipes.script.knobs import NAME_CHARACTERS as FILE_NAME_CHARACTERS

HOUR_S = 3600
HOURS_MAX = prices.TIMEOUT_MAX_S // HOUR_S
CODE = f"{INPUT}code"
KNOBS = ("command", "environment")
# Beside which field a refusal is said, by its code.
AT_FAULT = {"bad_input": f"{KNOB}command", "bad_environment": f"{KNOB}environment"}


class ProgramForm(PaidForm):
    chosen = forms.FileField(
        label=gettext_lazy("Send a .zip or .tar.gz"),
        required=False,
        help_text=gettext_lazy(
            "Of the folder of your code. What is in it is kept as it is, and stands with the "
            "run and with the model it makes."
        ),
        widget=forms.FileInput(attrs={"accept": ".zip,.tar.gz,.tgz,.tar"}),
    )
    name = forms.CharField(
        label=gettext_lazy("Name of this code"),
        required=False,
        max_length=NAME_CHARACTERS,
        help_text=gettext_lazy(
            "The same name again makes its next revision. Empty: the name of the file."
        ),
    )
    knob_command = forms.CharField(
        label=gettext_lazy("Command"),
        max_length=COMMAND_CHARACTERS,
        help_text=gettext_lazy(
            "It is started in the folder that you sent, without a shell: python train.py "
            "--epochs 3. Where you want a shell, write: bash -c '…'."
        ),
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "off"}),
    )
    knob_environment = forms.CharField(
        label=gettext_lazy("Environment file"),
        required=False,
        max_length=FILE_NAME_CHARACTERS,
        help_text=gettext_lazy(
            "The name of a requirements.txt or environment.yml in what you sent. Empty: the "
            "factory's own environment, with torch, transformers and scikit-learn."
        ),
    )
    gpus = WholeNumberField(
        label=gettext_lazy("GPUs"), initial=1, min_value=1, max_value=runs.GPUS_MAX
    )
    nodes = WholeNumberField(
        label=gettext_lazy("Nodes"),
        initial=1,
        min_value=1,
        help_text=gettext_lazy(
            "Over how many computers these GPUs are spread evenly. Your command is started "
            "once on each."
        ),
    )
    hours = WholeNumberField(
        label=gettext_lazy("Stop after at most"),
        initial=1,
        min_value=1,
        max_value=HOURS_MAX,
        help_text=gettext_lazy("What it does not use comes back when your program ends."),
    )
    seed = WholeNumberField(
        label=gettext_lazy("Seed"),
        initial=1,
        min_value=0,
        max_value=runs.SEED_MAX,
        help_text=gettext_lazy("Your program reads it as FABRIEK_SEED."),
    )

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, case: Case, by: Person
    ) -> None:
        super().__init__(data, recipe=RECIPE, case=case, by=by)
        self.price: prices.Price | None = None
        self._add_inputs()
        if engine.nodes_most() == 1:
            del self.fields["nodes"]

    @property
    def data_names(self) -> list[str]:
        return [INPUT + need.name for need in RECIPE.inputs if INPUT + need.name != CODE]

    @property
    def price_facts(self) -> list[Fact]:
        if self.price is None:
            return []
        return price_facts(self.price, left=self.allocation_chosen().gpu_seconds_left)

    def wish(self) -> runs.Wish:
        given = self.cleaned_data
        return runs.Wish(
            recipe=RECIPE.name,
            knobs={name: given[KNOB + name].strip() for name in KNOBS},
            inputs=self._revisions(given),
            gpus=given["gpus"],
            nodes=given.get("nodes", 1),
            seed=given["seed"],
            timeout_s=given["hours"] * HOUR_S,
            wish_id=given.get("wish_id") or uuid4(),
        )

    def _ask_price(self) -> None:
        self.price = runs.price_for(self.wish(), case=self.case, by=self.by)
        self._check_hours(self.price.gpu_seconds_held)

    def _show(self, refusal: Refused) -> None:
        self.add_error(AT_FAULT.get(refusal.code), str(refusal))

    def _add_inputs(self) -> None:
        for need in RECIPE.inputs:
            none = _("Nothing sent yet") if need.name == "code" else _("None")
            offered = self._offered(need.name)
            is_code = need.name == "code"
            empty = [] if is_code and offered else [("", none)]
            self.fields[INPUT + need.name] = forms.ChoiceField(
                label=_(need.title) if not is_code else _("Or run what you sent before"),
                help_text="" if is_code else _(need.help),
                required=need.required,
                choices=[*empty, *offered],
                error_messages={"required": _("Send the code that is to run.")},
            )
            field = cast("forms.ChoiceField", self.fields[INPUT + need.name])
            field.initial = offered[0][0] if is_code and offered else ""

"""The form of a run, made from the recipe: what it works on, its knobs, what it may cost."""

from collections.abc import Mapping
from typing import Any, cast
from uuid import uuid4

from django.core.validators import MaxValueValidator
from django.forms.boundfield import BoundField
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.allocations.models import Allocation
from fabriek.cases.models import Case
from fabriek.kernel import words
from fabriek.kernel.errors import Refused
from fabriek.kernel.facts import Fact
from fabriek.kernel.numbers import FractionField, WholeNumberField
from fabriek.people.models import Person
from fabriek.runs import actions, engine, knob_fields, offers, prices
from fabriek.runs.answers_form import AnswersForm
from fabriek.runs.models import Run
from fabriek.runs.paid_form import GIVEN_MAX, INPUT, KNOB, OFF, OTHERS
from fabriek.runs.price_words import price_facts
from fabriek_recipes.recipe import Recipe

SECONDS_PER_MINUTE = 60
DIGITS_MAX = 9
DRY = "dry"  # the name of the button


class RunForm(AnswersForm):
    gpus = WholeNumberField(
        label=gettext_lazy("GPUs"),
        initial=1,
        min_value=1,
        max_value=actions.GPUS_MAX,
        help_text=gettext_lazy("How many GPUs the run holds at the same time."),
    )
    nodes = WholeNumberField(
        label=gettext_lazy("Nodes"),
        initial=1,
        min_value=1,
        help_text=gettext_lazy(
            "Over how many computers these GPUs are spread evenly. One is best as long as the "
            "GPUs fit in it."
        ),
    )
    seed = WholeNumberField(
        label=gettext_lazy("Seed"),
        initial=1,
        min_value=0,
        max_value=actions.SEED_MAX,
        help_text=gettext_lazy("The same seed and settings give the same result again."),
    )
    minutes = WholeNumberField(
        label=gettext_lazy("Stop after at most"),
        required=False,
        min_value=1,
        max_value=prices.TIMEOUT_MAX_S // SECONDS_PER_MINUTE,
        help_text=gettext_lazy("Leave it empty for three times what we expect it to take."),
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        recipe: Recipe,
        case: Case,
        by: Person,
        like: Run | None = None,
        named: Mapping[str, str] | None = None,
    ) -> None:
        """`named`: the codes of inputs that a link to this form asks for, by their name."""
        super().__init__(data, recipe=recipe, case=case, by=by)
        self.knobs = offers.knobs_of(recipe)
        self.price: prices.Price | None = None
        self.why_no_price = ""
        self._offer_older(named or {})
        self._add_asked_inputs(lacking=_("Choose what this run works on."))
        self.add_answers(like)
        self._add_knobs()
        self._bound_nodes()
        if like:
            self._fill_in(like)
        self._propose(named or {})
        self._fill_in_named(named or {})

    # --- what the page shows --------------------------------------------------------------
    @property
    def input_fields(self) -> list[BoundField]:
        return [self[INPUT + need.name] for need in self.recipe.inputs]

    @property
    def basic_fields(self) -> list[tuple[BoundField, str]]:
        return [(self[KNOB + k.name], k.unit) for k in self.knobs if not k.is_advanced]

    @property
    def advanced_fields(self) -> list[tuple[BoundField, str]]:
        units = {"minutes": _("minutes")}
        knobs = [(self[KNOB + k.name], k.unit) for k in self.knobs if k.is_advanced]
        named = ("gpus", "nodes", "seed", "minutes")
        others = [(self[name], units.get(name, "")) for name in named if name in self.fields]
        return [*knobs, *others]

    @property
    def has_advanced_errors(self) -> bool:
        return any(field.errors for field, _unit in self.advanced_fields)

    @property
    def chosen_allocation(self) -> Allocation | None:
        account = str(self["allocation"].value() or "")
        return self.allocations.get(account)

    @property
    def is_affordable(self) -> bool:
        chosen = self.chosen_allocation
        if chosen is None or self.price is None:
            return False
        return self.price.gpu_seconds_held <= chosen.gpu_seconds_left

    @property
    def price_facts(self) -> list[Fact]:
        if self.price is None or self.chosen_allocation is None:
            return []
        return price_facts(self.price, left=self.chosen_allocation.gpu_seconds_left)

    def look(self) -> None:
        """Work out the price of what the empty form proposes, or say why that cannot be."""
        proposed = {
            name: self.get_initial_for_field(field, name) for name, field in self.fields.items()
        }
        for name, field in self.fields.items():
            if isinstance(field, FractionField):  # proposed with the reader's own comma
                proposed[name] = field.to_python(proposed[name])
        try:
            self.price = self._priced(self._wish(proposed))
        except Refused as refusal:
            # What still has to be chosen is no mistake: the page asks for it in other words.
            if refusal.code != "input_missing":
                self.why_no_price = str(refusal)

    # --- what was asked -------------------------------------------------------------------
    def wish(self) -> actions.Wish:
        return self._wish(self.cleaned_data)

    def _ask_price(self) -> None:
        self.price = self._priced(self.wish())
        self._check_affordable()

    def _priced(self, wish: actions.Wish) -> prices.Price:
        return actions.price_for(wish, case=self.case, by=self.by)

    def _wish(self, given: Mapping[str, Any]) -> actions.Wish:
        minutes = given.get("minutes")
        return actions.Wish(
            recipe=self.recipe.name,
            knobs={knob.name: given[KNOB + knob.name] for knob in self.knobs},
            inputs=self._revisions(given),
            saved_in=self.saved_in(given),
            gpus=int(given["gpus"]),
            nodes=int(given.get("nodes", 1)),
            seed=int(given["seed"]),
            timeout_s=int(minutes) * SECONDS_PER_MINUTE if minutes else None,
            is_dry=DRY in self.data,
            wish_id=given.get("wish_id") or uuid4(),
        )

    def _show(self, refusal: Refused) -> None:
        """Put each sentence of a refusal beside the field it is about."""
        names = {KNOB + name: text for name, text in refusal.fields.items()}
        names |= {INPUT + name: text for name, text in refusal.fields.items()}
        names |= refusal.fields
        if "timeout_s" in refusal.fields:
            names["minutes"] = refusal.fields["timeout_s"]
        shown = {name: text for name, text in names.items() if name in self.fields}
        for name, text in shown.items():
            self.add_error(name, str(text))
        if not shown:
            self.add_error(None, str(refusal))

    def _check_affordable(self) -> None:
        if self.is_affordable or self.price is None:
            return
        said = _(
            "This run must be able to use %(held)s, and that is more than is left. Choose less "
            "work, stop it earlier, or ask for more GPU-hours."
        )
        self.add_error(
            "allocation", said % {"held": words.gpu_hours(self.price.gpu_seconds_held)}
        )

    # --- making the fields ----------------------------------------------------------------
    def _add_knobs(self) -> None:
        for knob in self.knobs:
            self.fields[KNOB + knob.name] = knob_fields.field(knob)

    def _bound_nodes(self) -> None:
        """Ask for nodes only where there are several."""
        if (most := engine.nodes_most()) > 1:
            nodes = cast("WholeNumberField", self.fields["nodes"])
            nodes.max_value = most
            nodes.validators.append(MaxValueValidator(most))
            nodes.widget.attrs["max"] = str(most)
        else:
            del self.fields["nodes"]

    def _fill_in(self, like: Run) -> None:
        """Propose what an earlier run did, on the newest revision of what it worked on."""
        for name, value in like.knobs.items():
            if KNOB + name in self.fields:
                self.fields[KNOB + name].initial = knob_fields.shown(value)
        for name in {"gpus", "nodes", "seed"} & self.fields.keys():
            self.fields[name].initial = getattr(like, name)
        self._propose({row.name: row.revision.repository.code for row in like.inputs.all()})

    def _fill_in_named(self, named: Mapping[str, str]) -> None:
        """Propose the settings that a link to this form names."""
        for knob in self.knobs:
            if given := named.get(KNOB + knob.name, ""):
                shown = given != OFF if knob.kind == "boolean" else given[:GIVEN_MAX]
                self.fields[KNOB + knob.name].initial = shown
        for name in OTHERS & self.fields.keys():
            given = named.get(name, "")
            if given.isascii() and given.isdigit() and len(given) <= DIGITS_MAX:
                self.fields[name].initial = given

    def _propose(self, codes: Mapping[str, str | None]) -> None:
        """Choose these inputs beforehand, where they are offered at all; `code` or `code@1`."""
        for name, offered in self.choices.items():
            asked = codes.get(name) or ""
            code = asked.partition("@")[0]
            fits = [one for one in offered if one.revision.repository.code == code]
            exact = [one for one in fits if one.reference == asked]
            for choice in (exact or fits)[:1]:
                self.fields[INPUT + name].initial = choice.reference

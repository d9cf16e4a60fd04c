"""The form of a search: the data, the budget, which settings to search and where."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.cases.models import Case
from fabriek.kernel.errors import Refused
from fabriek.kernel.facts import Fact
from fabriek.kernel.numbers import WholeNumberField
from fabriek.kernel.units import SECONDS_PER_HOUR
from fabriek.kernel.words import gpu_hours
from fabriek.people.models import Person
from fabriek.runs import actions as runs
from fabriek.runs import knob_fields, offers, words
from fabriek.runs.paid_form import INPUT, KNOB, PaidForm
from fabriek.sweeps import actions, halving, quote_words, range_fields, ranges
from fabriek.sweeps.range_fields import CHOICES, FACTORS, HIGH, LOW, SEARCH, SPREAD
from fabriek.sweeps.wish import AT_ONCE_MAX, TRIALS_LEAST, TRIALS_MAX
from fabriek_recipes.kinds import Recipe
from fabriek_recipes.searches import Range

HOURS_MAX = 10**7


class SweepForm(PaidForm):
    budget = forms.CharField(
        label=gettext_lazy("It may cost at most"),
        max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text=gettext_lazy(
            "All its runs together never get more than this. What is not used stays yours."
        ),
    )
    trials = WholeNumberField(
        label=gettext_lazy("How many to try"),
        required=False,
        min_value=TRIALS_LEAST,
        max_value=TRIALS_MAX,
        help_text=gettext_lazy("Leave it empty for as many as the budget is good for."),
    )
    halving = forms.TypedChoiceField(
        label=gettext_lazy("How many go on after a round"),
        coerce=int,
        initial=3,
        help_text=gettext_lazy(
            "All begin with a small part of their steps; only the best go on, from where they "
            "were. So most GPU time goes to what does well."
        ),
    )
    at_once = WholeNumberField(
        label=gettext_lazy("Runs at the same time"),
        initial=2,
        min_value=1,
        max_value=AT_ONCE_MAX,
        help_text=gettext_lazy(
            "More is done sooner; fewer learn more from each other, as each choice follows "
            "from what is known by then."
        ),
    )
    gpus = WholeNumberField(
        label=gettext_lazy("GPUs for each run"),
        initial=1,
        min_value=1,
        max_value=runs.GPUS_MAX,
    )
    seed = WholeNumberField(
        label=gettext_lazy("Seed"),
        initial=1,
        min_value=0,
        max_value=runs.SEED_MAX,
        help_text=gettext_lazy("The same in each run, so that only the settings differ."),
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        recipe: Recipe,
        case: Case,
        by: Person,
    ) -> None:
        super().__init__(data, recipe=recipe, case=case, by=by)
        self.search = ranges.search_of(recipe)
        self.knobs = offers.knobs_of(recipe)
        self.quote: actions.Quote | None = None
        self.why_no_price = ""
        self._offer_older({})
        self._add_asked_inputs(lacking=_("Choose what this search works on."))
        self._add_score()
        self._add_halving()
        for knob in self.knobs:
            self.fields[KNOB + knob.name] = knob_fields.field(knob)
            if knob.name in self.search.ranges:
                is_marked = knob.name in self.search.suggested
                self.fields |= range_fields.fields(
                    knob, self.search.ranges[knob.name], is_marked=is_marked
                )

    # --- what the page shows --------------------------------------------------------------
    @property
    def input_fields(self) -> list[BoundField]:
        return [self[INPUT + need.name] for need in self.recipe.inputs]

    @property
    def suggested(self) -> list[range_fields.Searched]:
        names = self.search.suggested
        return [range_fields.searched(self, knob) for knob in self.knobs if knob.name in names]

    @property
    def others(self) -> list[range_fields.Searched]:
        known = self.search.ranges.keys() - set(self.search.suggested)
        return [range_fields.searched(self, knob) for knob in self.knobs if knob.name in known]

    @property
    def needed_fields(self) -> list[tuple[BoundField, str]]:
        """Give what is the same in all trials and must be said, such as a column."""
        return [(self[KNOB + one.name], one.unit) for one in self.knobs if self._is_asked(one)]

    @property
    def same_fields(self) -> list[tuple[BoundField, str]]:
        rest = [one for one in self.knobs if not self._is_asked(one)]
        return [(self[KNOB + one.name], one.unit) for one in rest]

    @property
    def how_fields(self) -> list[BoundField]:
        names = ["trials", "halving", "at_once", "score", "gpus", "seed"]
        return [self[name] for name in names if name in self.fields]

    @property
    def has_other_errors(self) -> bool:
        return any(one.errors for one in self.others)

    @property
    def has_how_errors(self) -> bool:
        return any(field.errors for field in self.how_fields)

    @property
    def has_same_errors(self) -> bool:
        return any(field.errors for field, _unit in self.same_fields)

    @property
    def price_facts(self) -> list[Fact]:
        left = self._left()
        return quote_words.facts(self.quote, left) if self.quote and left is not None else []

    # --- what was asked -------------------------------------------------------------------
    def wish(self) -> actions.Wish:
        given = self.cleaned_data
        return actions.Wish(
            recipe=self.recipe.name,
            knobs={knob.name: given[KNOB + knob.name] for knob in self.knobs},
            inputs=self._revisions(given),
            ranges=[
                self._given(name, one, given)
                for name, one in self.search.ranges.items()
                if given[SEARCH + name]
            ],
            gpu_seconds_budget=given["budget"],
            score=given.get("score") or "",
            trials=given["trials"],
            halving=given.get("halving", 0),
            at_once=given["at_once"],
            gpus=given["gpus"],
            seed=given["seed"],
            wish_id=given.get("wish_id") or uuid4(),
        )

    def clean_budget(self) -> int:
        """Read 20, 0,5 and 0.5 alike, as GPU-hours; give GPU-seconds."""
        typed = self.cleaned_data["budget"].strip().replace(",", ".")
        try:
            hours = float(typed)
        except ValueError:
            hours = -1.0
        if not 0 < hours <= HOURS_MAX:
            raise forms.ValidationError(_("Write GPU-hours in figures, such as 20 or 0,5."))
        return round(hours * SECONDS_PER_HOUR)

    def clean(self) -> dict[str, Any]:
        if not self.errors and not self._names_a_search():
            self.add_error(None, _("Mark at least one setting to search."))
        return super().clean()

    def _ask_price(self) -> None:
        self.quote = actions.price(self.wish(), case=self.case, by=self.by)
        self._check_left()

    def _names_a_search(self) -> bool:
        return any(self.cleaned_data.get(SEARCH + name) for name in self.search.ranges)

    def _given(self, name: str, one: Range, given: Mapping[str, Any]) -> ranges.Given:
        if one.kind == "choice":
            known = {str(choice): choice for choice in one.choices}
            chosen = tuple(known[each] for each in given[CHOICES + name])
            return ranges.Given(name=name, choices=chosen)
        return ranges.Given(
            name=name,
            low=given[LOW + name],
            high=given[HIGH + name],
            log=given[SPREAD + name] == FACTORS,
        )

    def _show(self, refusal: Refused) -> None:
        """Put each sentence of a refusal beside the field it is about."""
        shown = False
        for name, text in refusal.fields.items():
            places = [SEARCH + name, KNOB + name, INPUT + name, name]
            place = next((one for one in places if one in self.fields), None)
            if place:
                self.add_error(place, str(text))
                shown = True
        if not shown:
            self.add_error(None, str(refusal))

    def _left(self) -> int | None:
        chosen = self.allocations.get(str(self["allocation"].value() or ""))
        return chosen.gpu_seconds_left if chosen else None

    def _check_left(self) -> None:
        left = self._left()
        if self.quote is None or left is None or self.quote.gpu_seconds_budget <= left:
            return
        said = _("You have %(left)s left. Choose less, or ask for more GPU-hours.")
        self.add_error("budget", said % {"left": gpu_hours(left)})

    # --- making the fields ----------------------------------------------------------------
    def _is_asked(self, knob: offers.Knob) -> bool:
        """Whether somebody must say it, or mostly does, before anything can be searched."""
        is_text = knob.kind == "string" and not knob.choices
        return is_text and not knob.is_advanced and knob.name not in self.search.ranges

    def _add_score(self) -> None:
        if len(self.search.scores) > 1:
            named = [(name, words.score_name(name)) for name in self.search.scores]
            self.fields["score"] = forms.ChoiceField(
                label=_("Choose the best by"),
                required=False,
                choices=[("", _("The recipe's main score")), *named],
            )

    def _add_halving(self) -> None:
        if not self.search.goes_on:
            del self.fields["halving"]
            return
        named = [(one, _("one in %(n)d") % {"n": one}) for one in halving.ONE_OF]
        field = self.fields["halving"]
        field.choices = [*named, (0, _("none: all are trained in full at once"))]  # type: ignore[attr-defined]

"""What a search will cost before it starts: round by round, and at most."""

from dataclasses import dataclass, replace
from math import ceil

from django.utils.translation import gettext as _

from fabriek.cases.models import Case
from fabriek.kernel.errors import Invalid
from fabriek.kernel.words import gpu_hours
from fabriek.people.models import Person
from fabriek.runs import actions as runs
from fabriek.runs import energy, offers
from fabriek.runs.energy import Energy
from fabriek.runs.prices import Price
from fabriek.sweeps import halving, ranges
from fabriek.sweeps.wish import TRIALS_LEAST, Wish, check
from fabriek_recipes.kinds import Recipe
from fabriek_recipes.searches import Range, Search

# So many are tried when nobody says how many, if the budget is good for them.
TRIALS_USUAL = 27
# What is left of a budget for trials that take longer than was expected.
SHARE_PLANNED = 0.8
# The end of a budget is used for a run that will do with a little more than it is expected to.
LEAST_PATIENCE = 1.2
TIMEOUT_LEAST_S = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Quoted:
    """One round: how many trials, from where to where, and the GPU-seconds of each."""

    planned: halving.Round
    gpu_seconds_each: int

    @property
    def gpu_seconds(self) -> int:
        return self.planned.trials * self.gpu_seconds_each


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """What a search costs: about `gpu_seconds`, and never more than `gpu_seconds_budget`."""

    trials: int
    rounds: tuple[Quoted, ...]
    winner_gpu_seconds: int
    gpu_seconds_budget: int
    energy: Energy
    energy_most: Energy
    goes_on: bool
    score: str
    price: Price

    @property
    def gpu_seconds(self) -> int:
        return sum(one.gpu_seconds for one in self.rounds)

    @property
    def is_enough(self) -> bool:
        """Whether the budget is enough for what is planned."""
        return self.gpu_seconds <= self.gpu_seconds_budget


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """A wish with what was read from it."""

    wish: Wish
    recipe: Recipe
    search: Search
    ranges: list[Range]
    first: dict[str, object]


def checked(wish: Wish) -> Checked:
    """Look at all that needs no data. Raises: Invalid."""
    recipe = offers.recipe(wish.recipe)
    search = ranges.search_of(recipe)
    if not search.goes_on:
        wish = replace(wish, halving=0)  # nothing to go on from: each trial is a whole run
    check(wish, search)
    offers.checked_knobs(recipe, wish.knobs)
    found = ranges.read(recipe, wish.ranges)
    return Checked(
        wish=wish,
        recipe=recipe,
        search=search,
        ranges=found,
        first=ranges.usual(recipe, found, wish.knobs),
    )


def quote(known: Checked, *, case: Case, by: Person) -> Quote:
    """Say what a search costs, after every check that the start of its first run makes.

    Raises:
        Invalid: something that was given is wrong, or the budget is too small for two trials.
        NotAllowed: an agreement on the data does not allow this.
    """
    pricing = _Pricing(known, case, by)
    trials = known.wish.trials or _enough(pricing)
    planned = halving.rounds(trials, known.wish.halving)
    found = tuple(pricing.quoted(one) for one in planned)
    _require_one(known.wish, found[0].gpu_seconds_each)
    rest = pricing.price(planned[-1].until_share % 1, 1.0)
    total = sum(one.gpu_seconds for one in found)
    budget = known.wish.gpu_seconds_budget
    return Quote(
        trials=trials,
        rounds=found,
        winner_gpu_seconds=rest.gpu_seconds,
        gpu_seconds_budget=budget,
        energy=energy.expected(min(total, budget)),
        energy_most=energy.expected(budget),
        goes_on=bool(known.wish.halving),
        score=known.wish.score or known.search.scores[0],
        price=rest,
    )


class _Pricing:
    """Asks for each price once: the same parts come back in many plans."""

    def __init__(self, known: Checked, case: Case, by: Person) -> None:
        self.known, self._case, self._by = known, case, by
        self._found: dict[tuple[float, float], Price] = {}

    def quoted(self, planned: halving.Round) -> Quoted:
        cost = self.price(planned.since_share, planned.until_share)
        return Quoted(planned=planned, gpu_seconds_each=cost.gpu_seconds)

    def total(self, trials: int) -> int:
        planned = halving.rounds(trials, self.known.wish.halving)
        return sum(self.quoted(one).gpu_seconds for one in planned)

    def price(self, since: float, until: float) -> Price:
        if (since, until) not in self._found:
            wish = run_wish(self.known.wish, self.known.first, since=since, until=until)
            self._found[since, until] = runs.price_for(wish, case=self._case, by=self._by)
        return self._found[since, until]


def run_wish(
    wish: Wish, knobs: dict[str, object], *, since: float = 0.0, until: float = 1.0
) -> runs.Wish:
    """Say what one run of the search is."""
    return runs.Wish(
        recipe=wish.recipe,
        knobs={**wish.knobs, **knobs},
        inputs=wish.inputs,
        gpus=wish.gpus,
        nodes=wish.nodes,
        seed=wish.seed,
        is_trial=True,
        since_share=since,
        until_share=until,
    )


def least_s(gpu_seconds: int, gpus: int) -> int:
    """Give the shortest time, in seconds, that a run of about so many GPU-seconds may get."""
    return max(TIMEOUT_LEAST_S, ceil(gpu_seconds / gpus * LEAST_PATIENCE))


def _require_one(wish: Wish, gpu_seconds_each: int) -> None:
    """Refuse a budget with which not one run could begin. Raises: Invalid."""
    least = least_s(gpu_seconds_each, wish.gpus) * wish.gpus
    if least <= wish.gpu_seconds_budget:
        return
    said = _("This budget is too small for a single run, which must be able to use %(least)s.")
    said %= {"least": gpu_hours(least)}
    raise Invalid(said, fields={"budget": said}, code="small_budget")


def _enough(pricing: _Pricing) -> int:
    """Find how many trials the budget is good for. Raises: Invalid, when for fewer than two."""
    budget = pricing.known.wish.gpu_seconds_budget
    for trials in range(TRIALS_USUAL, TRIALS_LEAST, -1):
        if pricing.total(trials) <= SHARE_PLANNED * budget:
            return trials
    if (least := pricing.total(TRIALS_LEAST)) <= budget:
        return TRIALS_LEAST
    said = _(
        "This budget is too small: two trials take about %(least)s. Give more, or learn from "
        "less data."
    )
    said %= {"least": gpu_hours(least)}
    raise Invalid(said, fields={"budget": said}, code="small_budget")

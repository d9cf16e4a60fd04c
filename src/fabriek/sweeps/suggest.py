"""Which settings to try next: Optuna's sampler, asked and told from our own rows.

Only the loop imports this: Optuna takes a second to import, and no page needs it. Nothing of it
is kept: each time its study is made anew from the trials there are, so that a loop that was
killed goes on as if nothing happened.
"""

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial

from fabriek.sweeps.ranges import holds, rounded
from fabriek_recipes.searches import Range

# Before so many are known, there is nothing to learn from: they are drawn at random.
AT_RANDOM = 5
# Of few choices the same comes up again and again.
DRAWS = 30
SEED_STEP = 10_007

optuna.logging.set_verbosity(optuna.logging.WARNING)
logging.getLogger("optuna").propagate = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """One trial: its settings, and its score in the first round; none while it runs."""

    knobs: Mapping[str, Any]
    score: float | None = None
    has_failed: bool = False


def suggest(
    ranges: Sequence[Range], tried: Sequence[Tried], *, is_lower_better: bool, seed: int
) -> dict[str, Any] | None:
    """Give settings that were not tried yet; nothing when there are none left to find.

    The same seed and trials give the same settings. A trial that failed counts as the worst;
    one that still runs is kept away from.
    """
    known = [dict(one.knobs) for one in tried]
    for draw in range(DRAWS):
        study = _study(ranges, tried, is_lower_better, seed * SEED_STEP + len(tried) + draw)
        drawn = study.ask({one.name: _distribution(one) for one in ranges}).params
        found = {one.name: _value(one, drawn[one.name]) for one in ranges}
        if found not in known:
            return found
    return None


def _study(
    ranges: Sequence[Range], tried: Sequence[Tried], is_lower_better: bool, seed: int
) -> optuna.Study:
    with warnings.catch_warnings():
        # It says that an argument may change one day; the version is pinned.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            seed=seed % 2**32, n_startup_trials=AT_RANDOM, constant_liar=True
        )
    study = optuna.create_study(
        sampler=sampler, direction="minimize" if is_lower_better else "maximize"
    )
    worst = float("inf") if is_lower_better else float("-inf")
    for one in tried:
        # The usual settings may lie elsewhere: of them it cannot be told.
        if all(holds(each, one.knobs[each.name]) for each in ranges):
            study.add_trial(_frozen(ranges, one, worst))
    return study


def _frozen(ranges: Sequence[Range], one: Tried, worst: float) -> FrozenTrial:
    is_over = one.has_failed or one.score is not None
    value = worst if one.has_failed else one.score
    return create_trial(
        state=TrialState.COMPLETE if is_over else TrialState.RUNNING,
        value=value if is_over else None,
        params={each.name: one.knobs[each.name] for each in ranges},
        distributions={each.name: _distribution(each) for each in ranges},
    )


def _distribution(one: Range) -> BaseDistribution:
    if one.kind == "choice":
        return CategoricalDistribution(one.choices)
    if one.kind == "integer":
        return IntDistribution(int(one.low), int(one.high), log=one.log)
    return FloatDistribution(one.low, one.high, log=one.log)


def _value(one: Range, drawn: str | float) -> str | float:
    return drawn if one.kind == "choice" else rounded(one, float(drawn))

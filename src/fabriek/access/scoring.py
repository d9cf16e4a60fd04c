"""Scores of expert reviewers against the thresholds of a mode. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from fabriek.access.definitions import Criterion, Scores


@dataclass(frozen=True, kw_only=True, slots=True)
class Mean:
    criterion: Criterion
    score: float
    is_enough: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The reviewers together: the mean of each criterion, and their sum."""

    means: tuple[Mean, ...]
    total: float
    min_total: int

    @property
    def passes(self) -> bool:
        return self.total >= self.min_total and all(mean.is_enough for mean in self.means)


def outcome(scores: Sequence[Mapping[str, int]], rules: Scores) -> Outcome | None:
    """Weigh all reviews together; None while there are none."""
    if not scores:
        return None
    means = tuple(_mean(criterion, scores) for criterion in rules.criteria)
    total = round(sum(mean.score for mean in means), 2)
    return Outcome(means=means, total=total, min_total=rules.min_total)


def _mean(criterion: Criterion, scores: Sequence[Mapping[str, int]]) -> Mean:
    score = fmean(review.get(criterion.key, 0) for review in scores)
    return Mean(criterion=criterion, score=score, is_enough=score >= criterion.min)

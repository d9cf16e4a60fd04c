"""How often a model prefers the better answer of pairs it never learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fabriek_recipes.evaluation import Score
from fabriek_recipes.prefer_lm.data import EncodedPair, Likelihoods
from fabriek_recipes.training.base import Base
from fabriek_recipes.training.intervals import of_mean, of_share
from fabriek_recipes.training.process import Job, K
from fabriek_recipes.training.weighing import weigh


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What two models, the base and the trained one, said of the same pairs."""

    pairs: Sequence[EncodedPair]
    before: Likelihoods
    after: Likelihoods
    beta: float
    seed: int

    def scores(self) -> list[Score]:
        """Give each score with its interval."""
        count = len(self.pairs)
        margins = self.margins()
        before, after = (self._preferred(told) for told in (self.before, self.after))
        moved = sum(margin > 0 for margin in margins)
        mean = sum(margins) / count
        return [
            _share("preference", after, count, before=before / count),
            _share("moved_right", moved, count),
            Score(
                name="margin",
                value=round(mean, 6),
                **_bounds(of_mean(margins, seed=self.seed)),
            ),
        ]

    def margins(self) -> list[float]:
        """Say for each pair how much further the chosen answer came than the rejected one."""
        return [
            self.beta * ((chosen - old_chosen) - (rejected - old_rejected))
            for (chosen, rejected), (old_chosen, old_rejected) in zip(
                self.after, self.before, strict=True
            )
        ]

    def _preferred(self, told: Likelihoods) -> int:
        """Count pairs of which the better answer is likelier per token, however long it is."""
        found = zip(self.pairs, told, strict=True)
        return sum(
            chosen / pair.chosen.example.learned > rejected / pair.rejected.example.learned
            for pair, (chosen, rejected) in found
        )


def judged(job: Job[K], base: Base, pairs: Sequence[EncodedPair]) -> list[tuple[float, float]]:
    """Ask the model how likely both answers of each pair are."""
    told = weigh(job, base, [each for pair in pairs for each in pair.examples])
    totals = [each.total for each in told]
    return list(zip(totals[0::2], totals[1::2], strict=True))


def _share(name: str, right: int, count: int, before: float | None = None) -> Score:
    told = None if before is None else round(before, 6)
    bounds = _bounds(of_share(right, count))
    return Score(name=name, value=round(right / count, 6), before=told, **bounds)


def _bounds(found: tuple[float, float]) -> dict[str, float]:
    return {"low": round(found[0], 6), "high": round(found[1], 6)}

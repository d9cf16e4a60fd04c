"""The scores of a model: pairs of before and after, in words people read."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from fabriek.kernel import words
from fabriek.kernel.errors import Text
from fabriek.runs.words import SCORES, score_name

Figure = float | int | None

SHORT_NAMES: dict[str, Text] = {"exact_match": _("right to the letter"), "loss": _("loss")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """One figure before and after training, either of which may be unknown."""

    name: str
    before: Figure
    after: Figure

    @property
    def label(self) -> str:
        return score_name(self.name)

    @property
    def short_label(self) -> Text:
        return SHORT_NAMES.get(self.name) or self.label

    @property
    def before_said(self) -> str:
        return words.score(self.name, self.before)

    @property
    def after_said(self) -> str:
        return words.score(self.name, self.after)


def pairs(scores: Mapping[str, Figure]) -> list[Score]:
    """Pair `loss_before` and `loss_after`, the best understood first."""
    names = {name.removesuffix("_before").removesuffix("_after") for name in scores}
    known = list(SCORES)
    ordered = sorted(names, key=lambda n: (known.index(n) if n in known else len(known), n))
    return [
        Score(
            name=name,
            before=scores.get(f"{name}_before"),
            after=scores.get(f"{name}_after", scores.get(name)),
        )
        for name in ordered
    ]

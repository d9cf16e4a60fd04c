"""The scores of a model: pairs of before and after, in words people read."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from fabriek.kernel import words
from fabriek.kernel.errors import Text
from fabriek.runs import scored
from fabriek.runs.words import SCORES, score_name

Figure = float | int | None

SHORT_NAMES: dict[str, Text] = {
    "exact_match": _("right to the letter"),
    "accuracy": _("right label"),
    "macro_f1": _("F1"),
    "mae": _("off on average"),
    "mase": _("error (MASE)"),
    "loss": _("loss"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """One figure before and after training, and of a plain model; each may be unknown."""

    name: str
    before: Figure
    after: Figure
    yardstick: Figure = None

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
    known = list(SCORES)
    found = [
        Score(name=one.name, before=one.before, after=one.after, yardstick=one.yardstick)
        for one in scored.pairs(scores)
    ]
    return sorted(
        found,
        key=lambda one: (known.index(one.name) if one.name in known else len(known), one.name),
    )

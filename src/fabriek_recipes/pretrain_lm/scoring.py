"""How well a model reads text it never learned from, and between which bounds that lies.

Perplexity is counted per token, so it compares models with one tokenizer only; bits per byte
compare any two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from fabriek_recipes.evaluation import Evaluation, Score, told
from fabriek_recipes.pretrain_lm.making import Encode, windows_of
from fabriek_recipes.training import intervals
from fabriek_recipes.training.base import Base
from fabriek_recipes.training.packing import Example
from fabriek_recipes.training.process import Job, K
from fabriek_recipes.training.weighing import weigh
from fabriek_recipes.words import Sentence, _

# Of a book a beginning says as much, and costs less.
TOKENS_OF_TEXT = 8_192
LOSS_MAX = 600.0  # e to its power is still a number


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text to score on: its tokens in windows, and how many bytes they stand for."""

    windows: Sequence[Example]
    bytes: float
    name: int

    @property
    def learned(self) -> int:
        """How many of its tokens are predicted."""
        return sum(window.learned for window in self.windows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """How surprised a model is by texts: a sum of losses for each of them."""

    texts: Sequence[Text]
    losses: Sequence[float]
    seed: int

    @property
    def loss(self) -> float:
        """The loss per token."""
        return sum(self.losses) / max(1, sum(text.learned for text in self.texts))

    @property
    def perplexity(self) -> float:
        """Among how many equally likely tokens the model hesitates, on average."""
        return _perplexity(self.loss)

    @property
    def bits_per_byte(self) -> float:
        """How many bits the model needs for a byte of text."""
        size = sum(text.bytes for text in self.texts)
        return sum(self.losses) / math.log(2) / max(1.0, size)

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which the perplexity of other texts like these lies."""
        low, high = intervals.of_ratio(self.losses, self._learned, seed=self.seed)
        return _perplexity(low), _perplexity(high)

    def gain_over(self, before: Read) -> tuple[float, float]:
        """Give between which the loss per token became lower, text by text."""
        gained = [old - new for old, new in zip(before.losses, self.losses, strict=True)]
        return intervals.of_ratio(gained, self._learned, seed=self.seed)

    @property
    def _learned(self) -> list[float]:
        return [float(text.learned) for text in self.texts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The same texts read before and after."""

    before: Read | None
    after: Read

    def scores(self, kind: str) -> dict[str, float | None]:
        """Give the figures under their names, such as `text_perplexity_after`."""
        found: dict[str, float | None] = {}
        for when, read in (("before", self.before), ("after", self.after)):
            value = round(read.perplexity, 4) if read else None
            found[f"{kind}_perplexity_{when}"] = value
        return found

    def score(self, kind: str) -> Score:
        """Give the perplexity with its bounds."""
        low, high = self.after.bounds
        return Score(
            name=f"{kind}_perplexity",
            value=self.after.perplexity,
            low=low,
            high=high,
            before=self.before.perplexity if self.before else None,
        )


def texts_of(
    texts: Sequence[str], names: Sequence[int], encode: Encode, width: int
) -> list[Text]:
    """Turn texts into tokens to score on; one too short to predict anything is left out."""
    found = []
    for text, name, ids in zip(texts, names, encode(texts) if texts else [], strict=True):
        windows = windows_of(ids[:TOKENS_OF_TEXT], width)
        learned = sum(window.learned for window in windows)
        if learned:
            size = len(text.encode()) * learned / len(ids)
            found.append(Text(windows=windows, bytes=size, name=name))
    return found


def read(job: Job[K], base: Base, texts: Sequence[Text]) -> Read:
    """Let the model read them, the processes of a run together.

    Raises:
        Failed: `nan_loss`. Stopped: when the engine asks to stop.
    """
    weighed = weigh(job, base, [window for text in texts for window in text.windows])
    ends = [0, *accumulate(len(text.windows) for text in texts)]
    losses = [-sum(one.total for one in weighed[start:end]) for start, end in pairwise(ends)]
    return Read(texts=texts, losses=losses, seed=job.manifest.seed)


def evaluation(own: Pair, general: Pair | None, *, goes_on: bool) -> Evaluation:
    """Put it in the shape that pages show, with what somebody should know of it."""
    remarks = [*_of_own(own, goes_on=goes_on), *(_of_general(general) if general else [])]
    scores = [own.score("text"), *([general.score("general")] if general else [])]
    return Evaluation(
        rows=len(own.after.texts), remarks=[told(one) for one in remarks], scores=scores
    )


def _of_own(own: Pair, *, goes_on: bool) -> list[Sentence]:
    said = [
        Sentence(
            _(
                "Perplexity: among how many pieces of words the model hesitates at each step. "
                "It compares models with the same tokenizer only."
            )
        )
    ]
    if own.before and goes_on and own.after.gain_over(own.before)[0] <= 0:
        text = _(
            "On the text kept apart the gain may be luck: more texts kept apart would tell, or "
            "there is nothing in this text that the base model did not know."
        )
        said.append(Sentence(text))
    return said


def _of_general(general: Pair) -> list[Sentence]:
    if general.before is None:
        return []
    low, high = general.after.gain_over(general.before)
    said = {
        "before": round(general.before.perplexity, 2),
        "after": round(general.after.perplexity, 2),
    }
    if high < 0:
        text = _(
            "It forgot some: on general text the perplexity rose from %(before)s to %(after)s. "
            "Mix in more general text, lower the learning rate, or choose a small addition."
        )
        return [Sentence(text, **said)]
    if low > 0:
        text = _(
            "It forgot nothing that can be seen: on general text the perplexity went from "
            "%(before)s to %(after)s."
        )
        return [Sentence(text, **said)]
    text = _(
        "Whether it forgot cannot be seen: on general text the perplexity was %(before)s and "
        "is %(after)s, which may be luck."
    )
    return [Sentence(text, **said)]


def _perplexity(loss: float) -> float:
    return math.exp(min(loss, LOSS_MAX))

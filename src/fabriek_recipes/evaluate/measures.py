"""How near an answer is to the one expected, and how well a model knows when it is right.

The overlap of words is that of SQuAD (Rajpurkar et al., 2016) without its English articles;
ROUGE-L is that of Lin (2004). Both are few lines, and their library brings NLTK along.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from fabriek_recipes.evaluation import Bin

BINS = 10
# The comparison of two texts costs the product of their lengths.
WORDS_MAX = 2_000


def exact_match(
    answer: str, expected: str, *, case: bool = True, punctuation: bool = True
) -> float:
    """Give 1 when both are the same, but for space around them and what does not count."""
    texts = [text.strip() for text in (answer, expected)]
    if not case:
        texts = [text.casefold() for text in texts]
    if not punctuation:
        texts = ["".join(sign for sign in text if not _is_mark(sign)) for text in texts]
    return float(texts[0] == texts[1])


def token_f1(answer: str, expected: str) -> float:
    """Give the overlap of words, as the mean of precision and recall (harmonic)."""
    mine, theirs = words(answer), words(expected)
    return _f1(sum((Counter(mine) & Counter(theirs)).values()), len(mine), len(theirs))


def rouge_l(answer: str, expected: str) -> float:
    """Give the same for the longest row of words that both have in the same order."""
    mine, theirs = words(answer)[:WORDS_MAX], words(expected)[:WORDS_MAX]
    longest = [0] * (len(theirs) + 1)
    for word in mine:
        corner = 0
        for place, other in enumerate(theirs, 1):
            here = longest[place]
            longest[place] = corner + 1 if word == other else max(here, longest[place - 1])
            corner = here
    return _f1(longest[-1], len(mine), len(theirs))


def words(text: str) -> list[str]:
    """Split into words as they are compared: small letters, no punctuation."""
    plain = "".join(" " if _is_mark(sign) else sign for sign in text.casefold())
    return re.split(r"\s+", plain.strip()) if plain.strip() else []


def chances(weights: Sequence[float]) -> list[float]:
    """Turn logarithms of likelihoods into chances that add up to 1."""
    highest = max(weights)
    raised = [math.exp(weight - highest) for weight in weights]
    return [one / sum(raised) for one in raised]


def bins(said: Sequence[float], came_true: Sequence[float]) -> list[Bin]:
    """Compare the chance that was said with how often it came true, in steps of a tenth."""
    held: list[list[int]] = [[] for _bin in range(BINS)]
    for place, chance in enumerate(said):
        held[min(int(chance * BINS), BINS - 1)].append(place)
    return [
        Bin(
            said=min(1.0, sum(said[place] for place in places) / len(places)),
            came_true=sum(came_true[place] for place in places) / len(places),
            rows=len(places),
        )
        for places in held
        if places
    ]


def calibration_error(found: Sequence[Bin]) -> float:
    """Give how far chances are from what comes true, on average over the rows (ECE)."""
    rows = sum(each.rows for each in found)
    return sum(abs(each.said - each.came_true) * each.rows for each in found) / max(1, rows)


def _f1(both: int, mine: int, theirs: int) -> float:
    if not mine or not theirs:
        return float(mine == theirs)
    return 2 * both / (mine + theirs)


def _is_mark(sign: str) -> bool:
    return unicodedata.category(sign).startswith("P")

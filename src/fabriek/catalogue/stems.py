"""The words of a text as the search keeps them: without accents, stemmed in Dutch and English.

A text may be in either language, and often is in both: each word is kept under both stems, and
a question finds it by either.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

import snowballstemmer

WORD = re.compile(r"\w+", re.UNICODE)
LONGEST_WORD = 40  # what is longer is no word: a link, a hash, a trick
MOST_WORDS = 3000  # of one text
SHORTEST_WORD = 2
# They stand in every text and tell none apart.
_DUTCH = """de het een en van in is dat die op te zijn met voor niet aan er om ook als dan bij
of uit nog naar heeft door over ze wordt deze dit was worden"""
_ENGLISH = "the an and of to in is it for on with as by at or from that this be are was"
STOP_WORDS = frozenset(f"{_DUTCH} {_ENGLISH}".split())
# Made once: each is a table of rules without state between words.
_STEMMERS = (snowballstemmer.stemmer("dutch"), snowballstemmer.stemmer("english"))


def words(text: str) -> list[str]:
    """Cut a text into plain words, in their order, without those that tell nothing."""
    found = WORD.findall(plain(text))[:MOST_WORDS]
    return [
        word
        for word in found
        if SHORTEST_WORD <= len(word) <= LONGEST_WORD and word not in STOP_WORDS
    ]


def plain(text: str) -> str:
    """Write `Zoë` as `zoe`."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in apart if not unicodedata.combining(sign))


@lru_cache(maxsize=65_536)
def stems(word: str) -> frozenset[str]:
    """Give the stems of one plain word: the Dutch and the English one."""
    return frozenset(_stem(index, word) for index in range(len(_STEMMERS)))


def weighed(texts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Give {stem: weight} of texts with their weights: said more often counts a little more."""
    found: dict[str, int] = {}
    for text, weight in texts:
        counted: dict[str, int] = {}
        for word in words(text):
            for stem in stems(word):
                counted[stem] = counted.get(stem, 0) + 1
        for stem, times in counted.items():
            found[stem] = found.get(stem, 0) + weight * min(times, 3)
    return found


def _stem(index: int, word: str) -> str:
    stemmed: str = _STEMMERS[index].stemWord(word)
    return stemmed or word

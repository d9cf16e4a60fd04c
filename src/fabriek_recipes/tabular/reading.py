"""Reads words of a table as numbers and moments, and refuses what can be read in two ways."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fabriek_recipes import number_words
from fabriek_recipes.number_styles import PATTERNS, Style, Unclear
from fabriek_recipes.tables import Table
from fabriek_recipes.words import Failed

Matrix = NDArray[np.float64]
Codes = NDArray[np.int64]
Order = Literal["ymd", "dmy", "mdy"]

LARGEST = 1e300
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  as a clock on the wall shows it
ZONE = r"(Z|[+-]\d{2}:?\d{2}|[+-]\d{2})?"
CLOCK = rf"(?:[ T](\d{{1,2}}):(\d{{2}})(?::(\d{{2}}(?:\.\d+)?))?\s?{ZONE})?"
YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})" + CLOCK)
YEAR_LAST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})" + CLOCK)
MONTHS = 12


# --- numbers -----------------------------------------------------------------------------
def numbers_of(words: Sequence[str], style: Style) -> Matrix:
    """Read words as numbers; NaN where one is none."""
    pattern = PATTERNS[style]
    found = np.full(len(words), np.nan)
    for place, word in enumerate(words):
        if pattern.fullmatch(word):
            found[place] = float(_plain(word, style))
    found[np.abs(found) > LARGEST] = np.nan  # beyond what can be squared
    return found


def style_of(name: str, table: Table, unclear: Unclear) -> Style:
    """Find how the numbers of a column are written; `unclear` decides where nothing else does.

    Raises:
        Failed: `two_ways`, with lines in which they are unclear, where it is to be asked.
    """
    found = number_words.of_column(table.columns[name], table.lines)
    if unclear == "ask" and found.is_unclear:
        question = found.question(name)
        raise Failed("two_ways", question.msgid, **dict(question.values))
    return found.style(unclear) or "point"


def _plain(word: str, style: Style) -> str:
    if style == "comma":
        return word.replace(".", "").replace(",", ".")
    return word.replace(",", "") if style == "english" else word


# --- moments -----------------------------------------------------------------------------
def moments_of(words: Sequence[str], order: Order, *, on_the_wall: bool = False) -> Matrix:
    """Read words as seconds since 1970; NaN where one is no day.

    A zone that is written counts, so that moments can be set in order; `on_the_wall` reads
    what a clock there showed, which says more of the hour of a day.
    """
    return np.array([_moment(word, order, on_the_wall) for word in words], dtype=np.float64)


def order_of(words: Sequence[str]) -> Order:
    """Find how days are written: a first part above 12 is a day, as is most usual here.

    Words with the year first are read in any order, so that they decide only for themselves.
    """
    pairs = [found for word in words if (found := YEAR_LAST.fullmatch(word))]
    if not pairs:
        return "ymd"
    american = sum(int(pair[2]) > MONTHS for pair in pairs)
    return "mdy" if american > sum(int(pair[1]) > MONTHS for pair in pairs) else "dmy"


def has_zone(words: Sequence[str]) -> bool:
    """Tell whether any moment says its zone."""
    found = (YEAR_FIRST.fullmatch(word) or YEAR_LAST.fullmatch(word) for word in words)
    return any(one is not None and one[7] for one in found)


def _moment(word: str, order: Order, on_the_wall: bool) -> float:
    found = YEAR_FIRST.fullmatch(word)
    if found is None and order != "ymd":
        found = YEAR_LAST.fullmatch(word)
    elif found is not None:
        order = "ymd"
    if found is None:
        return float("nan")
    a, b, c = (int(found[place]) for place in (1, 2, 3))
    year, month, day = {"ymd": (a, b, c), "dmy": (c, b, a), "mdy": (c, a, b)}[order]
    try:
        at = datetime(year, month, day, int(found[4] or 0), int(found[5] or 0))  # noqa: DTZ001
    except ValueError:
        return float("nan")
    second = float(found[6] or 0)
    if second >= 60:  # noqa: PLR2004  a leap second is no moment of a table
        return float("nan")
    ahead = 0.0 if on_the_wall else _ahead_s(found[7])
    return (at - EPOCH).total_seconds() + second - ahead


def _ahead_s(zone: str | None) -> float:
    """Say how far a zone is ahead of UTC."""
    if not zone or zone == "Z":
        return 0.0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:])).total_seconds()
    return -ahead if zone[0] == "-" else ahead

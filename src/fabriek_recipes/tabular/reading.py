"""Reads words of a table as numbers and moments, and refuses what can be read in two ways."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fabriek_recipes.tables import Table
from fabriek_recipes.words import Failed, _

Matrix = NDArray[np.float64]
Codes = NDArray[np.int64]
Order = Literal["ymd", "dmy", "mdy"]

# This share of what is there must be readable as a number or a day; what is not is missing.
READABLE_SHARE = 0.95
LARGEST = 1e300
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  as a clock on the wall shows it
PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?")
# In English a comma divides thousands; “1,200” may be that, or a little more than one.
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")
ZONE = r"(Z|[+-]\d{2}:?\d{2}|[+-]\d{2})?"
CLOCK = rf"(?:[ T](\d{{1,2}}):(\d{{2}})(?::(\d{{2}}(?:\.\d+)?))?\s?{ZONE})?"
YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})" + CLOCK)
YEAR_LAST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})" + CLOCK)
MONTHS = 12


# --- numbers -----------------------------------------------------------------------------
def numbers_of(words: Sequence[str], *, decimal_comma: bool) -> Matrix:
    """Read words as numbers; NaN where one is none."""
    pattern = COMMA if decimal_comma else PLAIN
    found = np.full(len(words), np.nan)
    for place, word in enumerate(words):
        if pattern.fullmatch(word):
            plain = word.replace(".", "").replace(",", ".") if decimal_comma else word
            found[place] = float(plain)
    found[np.abs(found) > LARGEST] = np.nan  # beyond what can be squared
    return found


def has_decimal_comma(words: Sequence[str]) -> bool:
    """Tell whether numbers are written as 1.234,5: a comma that divides no thousands says so.

    Whether it is clear at all is for `require_clear`.
    """
    return any("," in word and _begins_decimals(word) for word in words)


def require_clear(name: str, table: Table) -> None:
    """Refuse a column of numbers in which each comma may divide thousands or begin decimals.

    Raises:
        Failed: `two_ways`, with the line of the first of them.
    """
    column = table.columns[name]
    unclear = {code for code, word in enumerate(column.words) if THOUSANDS.fullmatch(word)}
    if not unclear or has_decimal_comma(column.words):
        return
    codes = np.frombuffer(column.codes, dtype=np.int32)
    readable = unclear | {c for c, word in enumerate(column.words) if PLAIN.fullmatch(word)}
    present = codes[codes >= 0]
    if np.isin(present, list(readable)).sum() < READABLE_SHARE * len(present):
        return
    line = table.lines[int(np.flatnonzero(np.isin(codes, list(unclear)))[0])]
    # Not what stands there: the data may be lent, to learn from and not to be read.
    text = _(
        "In column “%(name)s” each comma has three digits after it, first in line %(line)s: it "
        "may divide thousands or begin decimals. Write thousands without a comma, and decimals "
        "after a point."
    )
    raise Failed("two_ways", text, name=name, line=line)


def _begins_decimals(word: str) -> bool:
    return bool(COMMA.fullmatch(word)) and not THOUSANDS.fullmatch(word)


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

"""What each column of a table means, as plain JSON: found once, used to learn and to predict.

Shapes: N rows, F features.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from fabriek_recipes.number_styles import READABLE_SHARE, Style
from fabriek_recipes.tables import Column, Table
from fabriek_recipes.tabular.reading import (
    EPOCH,
    Codes,
    Matrix,
    Order,
    moments_of,
    numbers_of,
    order_of,
)

CATEGORIES_MAX = 200
TEXT_WORDS_MIN = 4
OWN_SHARE = 0.5
OWN_MIN = 50
DAY_S = 86_400
NAMING = re.compile(r"(^|[^a-z])(id|nr|no|nummer|number|key|uuid|guid|index|rij|row)$", re.I)


class Meaning(BaseModel):
    """One column: how it is read, and what stands in for what is missing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["number", "category", "date"]
    decimal_comma: bool = False
    """Numbers are written as 1.234,5; else as 1234.5, or as 1,234.5."""
    thousands_comma: bool = False
    order: Order = "ymd"
    words: list[str] = []
    """Categories by frequency; any other word is one category more."""
    middles: list[float] = []
    """Per feature: what stands in for a missing number in the plain model."""
    spreads: list[float] = []

    @property
    def style(self) -> Style:
        """Say how its numbers are written."""
        if self.decimal_comma:
            return "comma"
        return "english" if self.thousands_comma else "point"

    @property
    def features(self) -> list[str]:
        """Name what is made of it."""
        if self.kind != "date":
            return [self.name]
        parts = ("day", "month", "weekday", "hour")
        return [f"{self.name} ({part})" for part in parts]


def meaning(name: str, column: Column, style: Style) -> Meaning | None:
    """Find what a column holds; None for free text, names of rows, and what never differs.

    `style`: how numbers are written, if it holds numbers.
    """
    words, codes = column.words, codes_of(column)
    present = codes[codes >= 0]
    if len(set(words)) < 2 and (codes >= 0).all():  # noqa: PLR2004  it says nothing
        return None
    counts = np.bincount(present, minlength=len(words))
    if not len(present):
        return None
    read = numbers_of(words, style)
    if counts[~np.isnan(read)].sum() >= READABLE_SHARE * len(present):
        return None if _is_naming(name, read, codes) else _number(name, read, codes, style)
    order = order_of(words)
    read = moments_of(words, order, on_the_wall=True)
    if counts[~np.isnan(read)].sum() >= READABLE_SHARE * len(present):
        return _date(name, read, codes, order)
    if len(words) > OWN_MIN and len(words) > OWN_SHARE * len(present):
        return None
    return Meaning(name=name, kind="category", words=_frequent(column, counts))


def is_text(column: Column) -> bool:
    """Tell free text from names of rows."""
    sample = column.words[:200]
    return sum(word.count(" ") + 1 for word in sample) >= TEXT_WORDS_MIN * len(sample)


def unreadable(column: Column, found: Meaning) -> Codes:
    """Give the rows in which a number or a day is neither."""
    if found.kind == "category":
        return np.zeros(0, dtype=np.int64)
    codes = codes_of(column)
    bad = np.append(np.isnan(readings(column.words, found)), False)
    return np.flatnonzero(bad[codes])


def features(meanings: Sequence[Meaning]) -> list[str]:
    """Name the columns of the matrix."""
    return [name for one in meanings for name in one.features]


def matrix(meanings: Sequence[Meaning], table: Table) -> Matrix:
    """Make numbers of a table, (N, F): categories by their place, NaN where missing."""
    parts = [_values(one, table) for one in meanings]
    return np.column_stack(parts) if parts else np.zeros((len(table), 0))


def codes_of(column: Column) -> Codes:
    """Give the codes as an array; -1 where missing."""
    return np.frombuffer(column.codes, dtype=np.int32).astype(np.int64)


def spread(words_values: Matrix, codes: Codes) -> Matrix:
    """Give each row the value of its word; NaN where it is missing."""
    return np.append(words_values, np.nan)[codes]


def _values(one: Meaning, table: Table) -> Matrix:
    column = table.columns.get(one.name)
    if column is None:
        return np.full((len(table), len(one.features)), np.nan)
    codes = codes_of(column)
    if one.kind == "category":
        places = {word: place for place, word in enumerate(one.words)}
        known = [float(places.get(word, len(places))) for word in column.words]
        return spread(np.array(known), codes)[:, None]
    read = readings(column.words, one)
    if one.kind == "number":
        return spread(read, codes)[:, None]
    return spread_days(read)[codes_or_last(codes, len(read))]


def codes_or_last(codes: Codes, last: int) -> Codes:
    """Point what is missing at one place behind the words."""
    return np.where(codes < 0, last, codes)


def spread_days(seconds: Matrix) -> Matrix:
    """Make day, month, weekday and hour of moments, with a row of NaN behind them."""
    found = np.full((len(seconds) + 1, 4), np.nan)
    for place, second in enumerate(seconds):
        if not np.isnan(second):
            at = _at(second)
            found[place] = (second // DAY_S, at.month, at.weekday(), at.hour)
    return found


def _at(second: float) -> datetime:
    return datetime.fromordinal(EPOCH.toordinal() + int(second // DAY_S)).replace(
        hour=int(second % DAY_S // 3600)
    )


def readings(words: Sequence[str], one: Meaning) -> Matrix:
    """Read words as the numbers or the seconds that they mean; NaN where they mean none."""
    if one.kind == "date":
        return moments_of(words, one.order, on_the_wall=True)
    return numbers_of(words, one.style)


def _number(name: str, read: Matrix, codes: Codes, style: Style) -> Meaning:
    values = spread(read, codes)
    middle, spread_ = _middle(values)
    return Meaning(
        name=name,
        kind="number",
        decimal_comma=style == "comma",
        thousands_comma=style == "english",
        middles=[middle],
        spreads=[spread_],
    )


def _date(name: str, read: Matrix, codes: Codes, order: Order) -> Meaning:
    values = spread_days(read)[codes_or_last(codes, len(read))]
    pairs = [_middle(values[:, place]) for place in range(values.shape[1])]
    middles, spreads = zip(*pairs, strict=True)
    return Meaning(name=name, kind="date", order=order, middles=[*middles], spreads=[*spreads])


def _middle(values: Matrix) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if not len(known):
        return 0.0, 1.0
    return float(np.median(known)), float(known.std()) or 1.0


def _frequent(column: Column, counts: Codes) -> list[str]:
    ordered = Counter(dict(zip(column.words, counts.tolist(), strict=True))).most_common()
    return [word for word, count in ordered if count > 0][:CATEGORIES_MAX]


def _is_naming(name: str, read: Matrix, codes: Codes) -> bool:
    """Tell numbers that only name rows: whole, all different, called so or counting up."""
    values = spread(read, codes)
    known = values[~np.isnan(values)]
    if len(known) < OWN_MIN or len(np.unique(known)) < len(known) or (known % 1 != 0).any():
        return False
    return bool(NAMING.search(name)) or bool((np.diff(known) == 1).all())

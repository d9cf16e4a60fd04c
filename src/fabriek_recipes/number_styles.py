"""How the numbers of a column are written, and whether that can be told at all; light.

In Dutch a point divides thousands and a comma begins decimals, in English the other way round.
`1.200` is a thousand two hundred or a little more than one: no table says which.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from fabriek_recipes.words import Sentence, _

# What divides thousands and what begins decimals: 1234.5, 1.234,5 or 1,234.5.
Style = Literal["point", "comma", "english"]
Unclear = Literal["ask", "thousands", "decimals"]
# This share of what is there must be readable as a number; what is not is missing.
READABLE_SHARE = 0.95
PLACES_NAMED = 5

PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?")
ENGLISH = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d*)?")
PATTERNS: dict[Style, re.Pattern[str]] = {"point": PLAIN, "comma": COMMA, "english": ENGLISH}
# One group of three: with either meaning. A number of thousands never begins with a nought.
ONE_POINT = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")
ONE_COMMA = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
# Several groups, or thousands before decimals: one meaning only.
POINTS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3}){2,}")
ENGLISH_ONLY = re.compile(r"[+-]?[1-9]\d{0,2}((,\d{3}){2,}(\.\d*)?|,\d{3}\.\d*)")
ONE_POINT_WAY, ONE_COMMA_WAY = "one point", "one comma"
UNCLEAR_WAYS = frozenset({ONE_POINT_WAY, ONE_COMMA_WAY})
TELLING = frozenset({"point", "points", "comma", "english"})


@dataclass(slots=True)
class Written:
    """What was seen of the numbers of one column; `places` are lines of those that are unclear.

    `has_points`: programs wrote some of them as numbers, whose point begins decimals.
    `seen`: in which ways numbers were written.
    """

    has_points: bool = False
    rows: int = 0
    readable: int = 0
    places: list[int] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def note(self, word: str, lines: Iterable[int], rows: int = 1) -> None:
        """Note a word that stands in so many rows, the first of them in `lines`."""
        self.rows += rows
        way = way_of(word)
        if way is None:
            return
        self.readable += rows
        self.seen.add(way)
        if way in UNCLEAR_WAYS:
            self.places += islice(lines, PLACES_NAMED)

    def style(self, unclear: Unclear = "ask") -> Style | None:
        """Say how they are written; nothing where that is unclear and is to be asked."""
        if (found := self._told()) or unclear == "ask":
            return found
        by_points = ONE_POINT_WAY in self.seen
        if unclear == "thousands":
            return "comma" if by_points else "english"
        return "point" if by_points else "comma"

    def _told(self) -> Style | None:
        """Say what one number tells of all, the surest sign first."""
        seen = self.seen
        is_asked = seen & UNCLEAR_WAYS
        signs: tuple[tuple[bool, Style], ...] = (
            (self.has_points, "point"),
            ("comma" in seen, "comma"),
            ("english" in seen, "english"),
            (ONE_COMMA_WAY in seen and "point" in seen, "english"),
            ("points" in seen, "comma"),
            ("point" in seen or not is_asked, "point"),
        )
        return next((style for is_so, style in signs if is_so), None)

    @property
    def is_told(self) -> bool:
        """Whether a number has told how all are written: no other can take that back."""
        return not TELLING.isdisjoint(self.seen)

    @property
    def is_unclear(self) -> bool:
        """Whether it is a column of numbers that may be read in two ways."""
        is_number = self.rows > 0 and self.readable >= READABLE_SHARE * self.rows
        return is_number and self.style() is None

    def question(self, name: str) -> Sentence:
        """Ask what they mean. Not what stands there: the data may be lent, and not be read."""
        lines = sorted(self.places)
        said = ", ".join(str(line) for line in lines[:PLACES_NAMED])
        text = _(
            "In column “%(name)s” each number with a point has three digits after it (lines "
            "%(lines)s): the point may divide thousands or begin decimals. Choose which under "
            "“Numbers such as 1.200”."
        )
        if ONE_COMMA_WAY in self.seen:
            text = _(
                "In column “%(name)s” each comma has three digits after it (lines %(lines)s): "
                "it may divide thousands or begin decimals. Choose which under “Numbers such "
                "as 1.200”."
            )
        more = ", …" if len(lines) > PLACES_NAMED else ""
        return Sentence(text, name=name, lines=said + more)


def way_of(word: str) -> str | None:
    """Name what a number says of how it is written; nothing where it is none."""
    if ONE_POINT.fullmatch(word):
        return ONE_POINT_WAY
    if ONE_COMMA.fullmatch(word):
        return ONE_COMMA_WAY
    if POINTS.fullmatch(word):
        return "points"
    if ENGLISH_ONLY.fullmatch(word):
        return "english"
    if PLAIN.fullmatch(word):
        return "point" if "." in word else "whole"
    return "comma" if COMMA.fullmatch(word) else None

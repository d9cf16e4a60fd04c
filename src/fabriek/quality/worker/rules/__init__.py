"""What looks like personal data: rules as data, with a version, in `nl-2.json`."""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from stdnum import iban
from stdnum.nl import bsn

CURRENT = "nl-2"
CONTEXT_CHARACTERS = 60
BIRTH_CHARACTERS = 30
OLDEST = 1900
PLAIN = re.compile(r"[^a-z0-9]+")
HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
MARK = re.compile("[\u0300-\u036f]")  # the accents, once they are apart
# Article numbers of laws and amounts are written as postcodes are: “7:658 BW”, “2000 KB”.
NO_POSTCODE = re.compile(r" ?(?:BW|EU|US|UK|KB|MB|GB|TB|KM|CM|MM|KG|PK|CV|BV|NV|AD|BC|AM|PM)$")


@dataclass(frozen=True, slots=True)
class Hit:
    kind: str
    start: int
    end: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    kind: str
    pattern: re.Pattern[str]
    context: re.Pattern[str] | None
    prefilter: str
    columns: frozenset[str]
    check: Callable[[str], bool]
    needs_context: bool
    before_only: bool
    fills_column: bool

    def hits(self, text: str, *, named: bool) -> Iterator[Hit]:
        """Find them; `named`: the column says already that this is what stands in it."""
        for match in self.pattern.finditer(text):
            if not self.check(match[0]):
                continue
            if self.needs_context and not named and not self._is_said(text, match):
                continue
            yield Hit(self.kind, match.start(), match.end())

    def _is_said(self, text: str, match: re.Match[str]) -> bool:
        before = BIRTH_CHARACTERS if self.before_only else CONTEXT_CHARACTERS
        after = 0 if self.before_only else CONTEXT_CHARACTERS
        around = text[max(0, match.start() - before) : match.end() + after]
        return bool(self.context and self.context.search(around))


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    version: str
    rules: tuple[Rule, ...]
    name_columns: frozenset[str]
    about: frozenset[str]  # words that only say whose it is: “Naam klant”, “E-mail privé”
    special: dict[str, str]  # the plain name of a column: which category
    within: dict[str, str]  # what tells it anywhere in the name: “Hoofddiagnose”

    @property
    def prefilter(self) -> str:
        """What DuckDB sorts out by: only rows with a chance are looked at here."""
        return "|".join(f"(?:{rule.prefilter})" for rule in self.rules)

    @property
    def chance(self) -> re.Pattern[str]:
        """The same for Python, which wants to hear for which part capitals do not matter."""
        return re.compile(self.prefilter.replace("(?:(?i)", "(?i:"), re.ASCII)

    def hits(self, text: str, *, named: frozenset[str] = frozenset()) -> list[Hit]:
        """Find all kinds; where two overlap, the longer one counts."""
        found = [
            hit for rule in self.rules for hit in rule.hits(text, named=rule.kind in named)
        ]
        if len(found) < 2:  # noqa: PLR2004
            return found
        kept: list[Hit] = []
        for hit in sorted(found, key=lambda one: (one.start - one.end, one.start)):
            if all(hit.end <= other.start or hit.start >= other.end for other in kept):
                kept.append(hit)
        return sorted(kept, key=lambda one: one.start)

    def told_by(self, column: str) -> frozenset[str]:
        """Say what the name of a column gives away: `name`, `special:health`, `bsn` ..."""
        words = words_of(column)
        rest = [word for word in words if word not in self.about and not word.isdigit()]
        whole = "".join(words)
        told = self._called(whole) | self._called("".join(rest))
        one_by_one = [self._called(word) for word in rest]
        if all(one_by_one):  # “Straat + huisnr”, “rekeningnummer (IBAN)”
            told = told.union(*one_by_one)
        within = {f"special:{kind}" for part, kind in self.within.items() if part in whole}
        return told | within

    def _called(self, plain: str) -> frozenset[str]:
        told = {rule.kind for rule in self.rules if plain in rule.columns}
        if plain in self.name_columns:
            told.add("name")
        if plain in self.special:
            told.add(f"special:{self.special[plain]}")
        return frozenset(told)


def words_of(name: str) -> list[str]:
    """Give the words of a name of a column: “Naam patiënt” and “naamPatient” have the same."""
    letters = unicodedata.normalize("NFKD", HUMP.sub(" ", name)).casefold()
    return PLAIN.sub(" ", MARK.sub("", letters)).split()


def masked(text: str, hits: list[Hit]) -> str:
    for hit in sorted(hits, key=lambda one: one.start, reverse=True):
        text = f"{text[: hit.start]}[{hit.kind.upper()}]{text[hit.end :]}"
    return text


@cache
def current() -> Rules:
    given = json.loads((Path(__file__).parent / f"{CURRENT}.json").read_text())
    return Rules(
        version=given["version"],
        rules=tuple(_rule(one) for one in given["kinds"]),
        name_columns=frozenset(given["name_columns"]),
        about=frozenset(given["about"]),
        special=_by_name(given["special"]),
        within=_by_name(given["special_within"]),
    )


def _by_name(kinds: dict[str, list[str]]) -> dict[str, str]:
    return {name: kind for kind, names in kinds.items() for name in names}


def _rule(given: dict[str, Any]) -> Rule:
    context = given.get("context")
    case = re.IGNORECASE if given.get("ignore_case") else 0
    return Rule(
        kind=given["kind"],
        pattern=re.compile(given["pattern"], case | re.ASCII),
        context=re.compile(context, 0 if given["kind"] == "big" else re.I) if context else None,
        prefilter=given["prefilter"],
        columns=frozenset(given["columns"]),
        check=CHECKS[given.get("check", "any")],
        needs_context=given.get("needs_context", False),
        before_only=given.get("context_before_only", False),
        fills_column=given.get("fills_column", False),
    )


def _is_phone(text: str) -> bool:
    abroad = re.match(r"(?:\+|00)31[ -]?(?:\(0\))?", text)
    digits = re.sub(r"\D", "", text[abroad.end() :] if abroad else text)
    digits = f"0{digits}" if abroad else digits
    return len(digits) == 10 and len(set(digits)) > 2  # noqa: PLR2004


def _is_ip(text: str) -> bool:
    if ":" in text:
        return True
    parts = [int(part) for part in text.split(".")]
    if any(len(part) > 1 and part[0] == "0" for part in text.split(".")):
        return False
    # 1.2.3.4 is a version as often as an address; 0.x, 127.x and masks are nobody's.
    return max(parts) <= 255 and parts[0] not in {0, 127, 255} and max(parts) > 20  # noqa: PLR2004


def _is_day(text: str) -> bool:
    year = re.search(r"(?:19|20)\d\d", text)
    return bool(year and OLDEST <= int(year[0]) <= date.today().year)  # noqa: DTZ011


def _is_address(text: str) -> bool:
    found = re.search(r"[1-9]\d{3} ?[A-Z]{2}", text)
    return bool(found and not NO_POSTCODE.search(found[0]))


CHECKS: dict[str, Callable[[str], bool]] = {
    "any": lambda _text: True,
    "bsn": lambda text: bool(bsn.is_valid(re.sub(r"[ .]", "", text))),
    "iban": lambda text: bool(iban.is_valid(text)),
    "phone": _is_phone,
    "ip": _is_ip,
    "day": _is_day,
    "address": _is_address,
}

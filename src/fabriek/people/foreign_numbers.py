"""Numbers of organisations abroad: EUID, VAT number, or that of a register outside the Union.

Only how they are written is checked, without asking anybody: whether one was given out, only
its register or VIES can tell.
"""

import re
from enum import StrEnum

from django.utils.translation import gettext_lazy as _

from fabriek.kernel.errors import Text

# Greece has another code in VAT numbers than everywhere else.
COUNTRY_OF_PREFIX = {"EL": "GR"}
# What follows the two letters; European Commission, VIES, "What is the format of a VAT number".
VAT = {
    "AT": r"U\d{8}",
    "BE": r"[01]\d{9}",
    "BG": r"\d{9,10}",
    "CY": r"\d{8}[A-Z]",
    "CZ": r"\d{8,10}",
    "DE": r"\d{9}",
    "DK": r"\d{8}",
    "EE": r"\d{9}",
    "EL": r"\d{9}",
    "ES": r"[A-Z0-9]\d{7}[A-Z0-9]",
    "FI": r"\d{8}",
    "FR": r"[A-Z0-9]{2}\d{9}",
    "HR": r"\d{11}",
    "HU": r"\d{8}",
    "IE": r"(\d{7}[A-Z]{1,2}|\d[A-Z+*]\d{5}[A-Z])",
    "IT": r"\d{11}",
    "LT": r"(\d{9}|\d{12})",
    "LU": r"\d{8}",
    "LV": r"\d{11}",
    "MT": r"\d{8}",
    "PL": r"\d{10}",
    "PT": r"\d{9}",
    "RO": r"\d{2,10}",
    "SE": r"\d{12}",
    "SI": r"\d{8}",
    "SK": r"\d{10}",
}
# Regulation (EU) 2021/1042: country, register, full stop, number, and at times a check digit.
EUID = re.compile(r"[A-Z]{2}[A-Z0-9]{1,12}\.[A-Z0-9]{2,20}(_[A-Z0-9]{1,3})?", re.ASCII)
# Of the European Economic Area, which has EUIDs, and no VAT numbers in VIES.
ONLY_EUID = frozenset({"IS", "LI", "NO"})
OTHER = re.compile(r"[A-Z]{2}[A-Z0-9]{4,20}", re.ASCII)

_SPACES = re.compile(r"[\s\-/]+")


class Kind(StrEnum):
    EUID = "euid"
    VAT = "vat"
    OTHER = "other"


SAID: dict[Kind, Text] = {
    Kind.EUID: _("EUID %(number)s"),
    Kind.VAT: _("VAT number %(number)s"),
    Kind.OTHER: _("registered as %(number)s"),
}


class Problem(StrEnum):
    DUTCH = "dutch"
    OTHER_COUNTRY = "other_country"
    WRONG = "wrong"


def normalise(text: str) -> str:
    """Write it as it is kept: capitals, and a full stop in an EUID only."""
    number = _SPACES.sub("", text).upper()
    return number if EUID.fullmatch(number) and not _is_vat(number) else number.replace(".", "")


def kind_of(number: str) -> Kind:
    """Tell which kind of number this is; for one that is right."""
    if "." in number:
        return Kind.EUID
    return Kind.VAT if _is_vat(number) else Kind.OTHER


def said(number: str) -> str:
    """Name the number with what it is a number of."""
    return str(SAID[kind_of(number)]) % {"number": number}


def country_of(number: str) -> str:
    return COUNTRY_OF_PREFIX.get(number[:2], number[:2])


def problem(number: str, country: str) -> Problem | None:
    """Say what is wrong with a normalised number of an organisation in this country."""
    if country == "NL":
        return Problem.DUTCH
    is_in_union = country in ONLY_EUID or country in map(country_of, VAT)
    fits = EUID.fullmatch(number) or (
        _is_vat(number) if is_in_union else OTHER.fullmatch(number)
    )
    if not fits:
        return Problem.WRONG
    return None if country_of(number) == country else Problem.OTHER_COUNTRY


def _is_vat(number: str) -> bool:
    """Tell it also of one with full stops, as Belgians write theirs."""
    plain = number.replace(".", "")
    pattern = VAT.get(plain[:2])
    return pattern is not None and re.fullmatch(pattern, plain[2:], re.ASCII) is not None

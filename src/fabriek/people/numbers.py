"""Numbers under which an organisation is registered, and what can be wrong with one."""

import re
from enum import StrEnum

from fabriek.people import foreign_numbers

KVK_DIGITS = 8

_SEPARATORS = re.compile(r"[\s.\-]+")


class NumberProblem(StrEnum):
    EMPTY = "empty"
    NOT_DIGITS = "not_digits"
    WRONG_LENGTH = "wrong_length"
    ALL_ZERO = "all_zero"


def of_any_register(text: str) -> str:
    """Read a number as somebody typed it, of a register here or abroad: as it is kept."""
    begins = text.strip()[:1]
    return foreign_numbers.normalise(text) if begins.isalpha() else normalise(text)


def normalise(text: str) -> str:
    """Leave out the spaces, dots and hyphens with which people write a number."""
    return _SEPARATORS.sub("", text)


def kvk_problem(text: str) -> NumberProblem | None:
    number = normalise(text)
    if not number:
        return NumberProblem.EMPTY
    if not (number.isascii() and number.isdigit()):
        return NumberProblem.NOT_DIGITS
    if len(number) != KVK_DIGITS:
        return NumberProblem.WRONG_LENGTH
    return NumberProblem.ALL_ZERO if int(number) == 0 else None

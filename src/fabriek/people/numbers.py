"""Numbers under which an organisation is registered, and what can be wrong with one."""

import re
from enum import StrEnum

KVK_DIGITS = 8
ESTABLISHMENT_DIGITS = 12
RSIN_DIGITS = 9

_SEPARATORS = re.compile(r"[\s.\-]+")


class NumberProblem(StrEnum):
    EMPTY = "empty"
    NOT_DIGITS = "not_digits"
    WRONG_LENGTH = "wrong_length"
    ALL_ZERO = "all_zero"
    ELEVEN_TEST = "eleven_test"


def normalise(text: str) -> str:
    """Leave out the spaces, dots and hyphens with which people write a number."""
    return _SEPARATORS.sub("", text)


def kvk_problem(text: str) -> NumberProblem | None:
    return _problem(normalise(text), digits=KVK_DIGITS)


def establishment_problem(text: str) -> NumberProblem | None:
    return _problem(normalise(text), digits=ESTABLISHMENT_DIGITS)


def rsin_problem(text: str) -> NumberProblem | None:
    """Check an RSIN: nine digits, which weighed by 9, 8, ... 2 and -1 add up to an eleven."""
    number = normalise(text)
    if problem := _problem(number, digits=RSIN_DIGITS):
        return problem
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    total = sum(weight * int(digit) for weight, digit in zip(weights, number, strict=True))
    return NumberProblem.ELEVEN_TEST if total % 11 else None


def _problem(number: str, *, digits: int) -> NumberProblem | None:
    if not number:
        return NumberProblem.EMPTY
    if not (number.isascii() and number.isdigit()):
        return NumberProblem.NOT_DIGITS
    if len(number) != digits:
        return NumberProblem.WRONG_LENGTH
    return NumberProblem.ALL_ZERO if int(number) == 0 else None

"""Numbers as people type them: with or without signs between the thousands, with a comma."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# What a column of whole numbers holds in every database; no revision comes near it.
LARGEST = 2**31 - 1
MOST_DIGITS = len(str(LARGEST))
# What people and spreadsheets put between thousands: also the spaces that do not break a line.
_SIGNS = ".,\u0020\u00a0\u2007\u2009\u202f"
_SIGN = re.compile(f"[{_SIGNS}]")
# One sign throughout: 1.000,000 is a thousand to some readers and a million to others. A minus
# is read, so that the bounds of the field can say what is the least.
_WHOLE = re.compile(rf"-?(?:[0-9]+|[1-9][0-9]{{0,2}}([{_SIGNS}])[0-9]{{3}}(?:\1[0-9]{{3}})*)")

# A comma and a point alike; of 1.000,5 it would have to be guessed which is which.
_FRACTION = re.compile(r"-?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][-+]?[0-9]+)?")


def read(typed: str) -> int | None:
    """Read a number that stands in an address or a form; nothing where it is none of ours.

    Python refuses to read thousands of digits, and some databases to look for such a number.
    """
    if not (typed.isascii() and typed.isdecimal()) or len(typed) > MOST_DIGITS:
        return None
    return number if (number := int(typed)) <= LARGEST else None


class NumberInput(forms.TextInput):
    """A box for text: a browser's box for numbers makes 5 of 5.000 before we can read it.

    And one in another language than the page makes 5 of 0,0005.
    """

    def __init__(self, inputmode: str = "numeric") -> None:
        super().__init__(attrs={"inputmode": inputmode, "autocomplete": "off"})


class WholeNumberField(forms.IntegerField):
    """Reads 5000, 5.000, 5,000 and 5 000 alike in every language, and nothing it must guess.

    Django's own field reads 5.000 as 5, and in English 4999,5 as 49995.
    """

    widget = NumberInput
    default_error_messages = {
        "invalid": _("Write a whole number in figures, without decimals, such as 5000.")
    }

    def to_python(self, value: object) -> int | None:
        if isinstance(value, str):
            value = self._figures(value.strip())
        number: int | None = super().to_python(value)
        return number

    def _figures(self, text: str) -> str:
        if text and not _WHOLE.fullmatch(text):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return _SIGN.sub("", text)


class FractionField(forms.CharField):
    """Reads 0,0005 and 0.0005 alike, as text with a point; whoever asked says what will do."""

    def __init__(self, **how: Any) -> None:  # noqa: ANN401  as Django's own
        super().__init__(widget=NumberInput("decimal"), **how)

    def to_python(self, value: object) -> str:
        text = str(super().to_python(value))
        return text.replace(",", ".") if _FRACTION.fullmatch(text) else text

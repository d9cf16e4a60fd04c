"""What people and programs typed: made tidy, and refused in words where it will not do."""

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from fabriek.kernel.errors import Invalid

# Control characters but tab and line ends, half surrogates (which no database can encode), and
# the signs that turn the direction of writing, with which one name can be made to look like
# another.
PLAIN = RegexValidator(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]",
    _("There is a character in this text that cannot be shown. Type the text again."),
    inverse_match=True,
)


def line(text: str) -> str:
    """Bring a text of one line to single spaces."""
    return " ".join(text.split())


def prose(text: str) -> str:
    """Bring line ends to one kind, as browsers send another than programs do."""
    return text.replace("\r\n", "\n").strip()


def storable(words: str) -> str:
    """Leave out the NUL, which some databases refuse outright, to look for as well."""
    return words.replace("\x00", "")


def sought(words: str, *, most: int = 200) -> str:
    """Make something to look for of what was typed."""
    return storable(words).strip()[:most]


def check(thing: models.Model, names: Iterable[str]) -> None:
    """Hold the named columns of `thing` against their own rules; nothing is saved.

    Raises:
        Invalid: with a sentence for each column whose value will not do.
    """
    wanted = set(names)
    others = {field.name for field in thing._meta.fields if field.name not in wanted}
    try:
        thing.clean_fields(exclude=others)
    except ValidationError as error:
        fields = {name: " ".join(said) for name, said in error.message_dict.items()}
        raise Invalid(
            _("Some of what was given is missing or wrong."), fields=fields
        ) from error

"""Rules for columns that hold lists; migrations name them, so no models are here."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils.deconstruct import deconstructible
from django.utils.translation import gettext_lazy as _

from fabriek.kernel.text import PLAIN

MOST_KEYWORDS = 30
LONGEST_KEYWORD = 60


def some_words(value: object) -> None:
    """Take a list of short plain words."""
    if not _is_texts(value):
        raise ValidationError(_("Write words, with a comma between them."))
    words: list[str] = value  # type: ignore[assignment]  # looked at above
    if len(words) > MOST_KEYWORDS:
        raise ValidationError(
            _("There are %(count)d words here. Keep the %(most)d that say most.")
            % {"count": len(words), "most": MOST_KEYWORDS}
        )
    for word in words:
        PLAIN(word)
        if len(word) > LONGEST_KEYWORD:
            raise ValidationError(
                _("“%(word)s…” is too long: a word may have %(most)d characters.")
                % {"word": word[:20], "most": LONGEST_KEYWORD}
            )


@deconstructible
class Among:
    """Takes a list of some of these codes."""

    def __init__(self, codes: Sequence[str]) -> None:
        self.codes = list(codes)

    def __call__(self, value: object) -> None:
        if not _is_texts(value) or not set(value) <= set(self.codes):  # type: ignore[call-overload]
            raise ValidationError(
                _("Choose among: %(codes)s.") % {"codes": ", ".join(self.codes)}
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Among) and other.codes == self.codes

    def __hash__(self) -> int:
        return hash(tuple(self.codes))


def is_broken_address(text: str) -> bool:
    """Tell whether this begins as a web address and cannot be read as one."""
    if not text.startswith(("http://", "https://")):
        return False
    try:
        return not urlsplit(text).netloc
    except ValueError:
        return True


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)

"""What may be done with data, as a value: to compare, to narrow down, and to combine."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.utils import timezone
from django.utils.translation import gettext as _

from fabriek.agreements.models import Agreement, Duty, Place, Product, Purpose
from fabriek.kernel.errors import Invalid, Text
from fabriek.kernel.text import PLAIN, prose

# From the least to the most that may come out, and from the freest place to the strictest.
PRODUCTS = (Product.STATISTICS, Product.MODEL_API, Product.MODEL_WEIGHTS)
PLACES = (Place.OPEN, Place.SHARED, Place.SECURE)
LONGEST_CONDITIONS = 5000
LONGEST = timedelta(days=3653)  # ten years: nobody knows what data is worth after that
SLACK = timedelta(days=2)  # back to the beginning of yesterday


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """From `begins_at` up to, but not at, `ends_at`. Without a purpose nothing is allowed."""

    purposes: frozenset[Purpose]
    product: Product
    place: Place
    duties: frozenset[Duty]
    begins_at: datetime
    ends_at: datetime
    conditions: frozenset[str] = frozenset()

    @property
    def allow_nothing(self) -> bool:
        return not self.purposes or self.ends_at <= self.begins_at

    def hold_at(self, moment: datetime) -> bool:
        return self.begins_at <= moment < self.ends_at and bool(self.purposes)

    def within(self, wider: "Terms") -> bool:
        """Tell whether all that these allow, `wider` allows too: a partial order."""
        return (
            self.purposes <= wider.purposes
            and PRODUCTS.index(self.product) <= PRODUCTS.index(wider.product)
            and PLACES.index(self.place) >= PLACES.index(wider.place)
            and self.duties >= wider.duties
            and self.begins_at >= wider.begins_at
            and self.ends_at <= wider.ends_at
            and self.conditions >= wider.conditions
        )

    @property
    def said_conditions(self) -> str:
        """Give the conditions as one text, always in the same order."""
        return "\n\n".join(sorted(self.conditions))


def of(agreement: Agreement) -> Terms:
    return Terms(
        purposes=frozenset(Purpose(purpose) for purpose in agreement.purposes),
        product=Product(agreement.product),
        place=Place(agreement.place),
        duties=frozenset(Duty(duty) for duty in agreement.duties),
        begins_at=agreement.begins_at,
        ends_at=agreement.ends_at,
        conditions=frozenset({agreement.conditions} - {""}),
    )


def strictest(one: Terms, other: Terms) -> Terms:
    """Give what both allow: the rights of what was made from the data of both.

    It does not matter which comes first, or in which order many are taken. A condition in
    words cannot be compared with another, so both stay.
    """
    return Terms(
        purposes=one.purposes & other.purposes,
        product=min(one.product, other.product, key=PRODUCTS.index),
        place=max(one.place, other.place, key=PLACES.index),
        duties=one.duties | other.duties,
        begins_at=max(one.begins_at, other.begins_at),
        ends_at=min(one.ends_at, other.ends_at),
        conditions=one.conditions | other.conditions,
    )


def strictest_of(all_of_them: Iterable[Terms]) -> Terms | None:
    """Give what all of them allow; None of none, which binds nobody."""
    several = list(all_of_them)
    return reduce(strictest, several) if several else None


def check(terms: Terms) -> None:
    """Refuse terms that nobody could sign with sense.

    Raises:
        Invalid: with a sentence for each part that will not do.
    """
    wrong: dict[str, Text] = {}
    if not terms.purposes:
        wrong["purposes"] = _("Choose at least one purpose.")
    if problem := _problem_with_begin(terms):
        wrong["begins_at"] = problem
    if problem := _problem_with_end(terms):
        wrong["ends_on"] = problem
    if len(terms.conditions) > 1:
        wrong["conditions"] = _("Write all other conditions as one text.")
    elif problem := _problem_with_words(terms.said_conditions):
        wrong["conditions"] = problem
    if wrong:
        raise Invalid(_("These terms cannot be agreed on yet; see the fields."), fields=wrong)


def conditions(typed: str) -> frozenset[str]:
    """Read what somebody typed as other conditions."""
    return frozenset({prose(typed)} - {""})


def _problem_with_begin(terms: Terms) -> str:
    """Nobody agrees on what has been; there is time between reading a text and signing it."""
    now = timezone.now()
    if terms.begins_at < now - SLACK:
        return _("The first day is over. Choose today, or a later day.")
    if terms.begins_at - now > LONGEST:
        return _("The first day is more than ten years away. Choose an earlier one.")
    return ""


def _problem_with_end(terms: Terms) -> str:
    now = timezone.now()
    if terms.ends_at <= now:
        return _("This day is over. Choose a last day that is still to come.")
    if terms.ends_at <= terms.begins_at:
        return _("The last day is before the first. Change one of the two.")
    if terms.ends_at - max(now, terms.begins_at) > LONGEST:
        return _("An agreement lasts ten years at most. Choose an earlier last day.")
    return ""


def _problem_with_words(said: str) -> str:
    for validator in (PLAIN, MaxLengthValidator(LONGEST_CONDITIONS)):
        try:
            validator(said)
        except ValidationError as error:
            return " ".join(error.messages)
    return ""

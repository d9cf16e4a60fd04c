"""Under which terms a model was made: for its card, which travels with it, and its page."""

from collections.abc import Iterable

from django.utils import translation
from django.utils.translation import gettext as _

from fabriek.agreements import inheritance, terms
from fabriek.agreements.models import Agreement, Duty, Product
from fabriek.agreements.terms import Terms
from fabriek.registry.card import LANGUAGE
from fabriek.registry.models import Model
from fabriek.registry.show import Fact


def sentences(agreements: Iterable[int], sources: Iterable[int]) -> tuple[str, ...]:
    """Say it for a card, in its language; nothing where the data binds nobody."""
    found = inheritance.passed_on_by(agreements, sources)
    together = terms.strictest_of(terms.of(one) for one in found)
    if together is None:
        return ()
    with translation.override(LANGUAGE):
        return tuple(_sentences(found, together))


def facts(model: Model) -> list[Fact]:
    """Say it on the page of the model."""
    found = [row.agreement for row in inheritance.terms_of(model.repository)]
    together = terms.strictest_of(terms.of(one) for one in found)
    if together is None:
        return []
    codes = ", ".join(one.code for one in found)
    help_ = " ".join(_rights(together))
    return [Fact(label=_("Made under"), value=codes, help=help_)]


def _sentences(found: list[Agreement], together: Terms) -> Iterable[str]:
    codes = ", ".join(one.code for one in found)
    yield _("It was made of data under agreement: %(codes)s.") % {"codes": codes}
    yield from _rights(together)
    if Duty.ATTRIBUTE in together.duties:
        names = sorted({one.repository.organisation.name for one in found})
        yield _("Name with it the owners of that data: %(names)s.") % {
            "names": ", ".join(names)
        }
    for condition in sorted(together.conditions):
        yield _("Also agreed: %(condition)s") % {"condition": condition}


def _rights(together: Terms) -> Iterable[str]:
    purposes = ", ".join(sorted(str(one.label) for one in together.purposes))
    if purposes:
        yield _("It may be used to: %(purposes)s.") % {"purposes": purposes}
    else:
        yield _("Its data was agreed on for different purposes, so it may be used for none.")
    if together.product == Product.MODEL_WEIGHTS:
        yield _("Its weights may be taken along.")
    else:
        yield _("Its weights stay in the factory.")
    if Duty.REVIEW in together.duties:
        yield _("The owner of the data looks at it before it goes out.")

"""Under which terms a model was made: for its card, which travels with it, and its page."""

from collections.abc import Iterable

from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fabriek.agreements import inheritance, terms
from fabriek.agreements.models import Agreement, Duty, Place, Product
from fabriek.agreements.states import AgreementState
from fabriek.agreements.terms import Terms
from fabriek.kernel.facts import Fact
from fabriek.people.models import Person
from fabriek.registry.card import LANGUAGE
from fabriek.registry.models import Model


def sentences(
    agreements: Iterable[int], sources: Iterable[int], *, named: bool = True
) -> tuple[str, ...]:
    """Say it for a card, in its language; nothing where the data binds nobody.

    `named`: with codes and owners; else what anybody may read who sees the model.
    """
    found = inheritance.passed_on_by(agreements, sources)
    together = terms.strictest_of(terms.of(one) for one in found)
    if together is None:
        return ()
    with translation.override(LANGUAGE):
        return tuple(_sentences(found, together) if named else _unnamed(found, together))


def facts(model: Model, person: Person) -> list[Fact]:
    """Say it on the page of the model; agreements of others have no code there."""
    found = [row.agreement for row in inheritance.terms_of(model.repository)]
    together = terms.strictest_of(terms.of(one) for one in found)
    if together is None:
        return []
    theirs = Agreement.objects.of_parties(person).filter(pk__in=[one.pk for one in found])
    codes = list(theirs.order_by("pk").values_list("code", flat=True))
    url = reverse("agreements:detail", args=codes) if len(codes) == len(found) == 1 else ""
    if len(codes) < len(found):
        codes.append(_("an agreement for others"))
    help_ = " ".join(_rights(together))
    return [Fact(label=_("Made under"), value=", ".join(codes), url=url, help=help_)]


def taken_back(model: Model) -> bool:
    """Tell whether an owner revoked an agreement on data that this open model was made of."""
    if not model.repository.is_open:
        return False
    rows = inheritance.terms_of(model.repository)
    return any(row.agreement.state == AgreementState.REVOKED for row in rows)


def tells(model: Model, person: Person) -> bool:
    """Tell whether this person may read what its makers wrote on the card of a model.

    The card of a confidential case tells of that case. Else the factory's own names nothing
    that was lent; what people push may say anything.
    """
    case = model.case
    if case and case.is_confidential and not model.is_ours:  # type: ignore[attr-defined]
        return False
    if model.run_id is not None:
        return True
    return inheritance.hears(model.repository, person)


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


def _unnamed(found: list[Agreement], together: Terms) -> Iterable[str]:
    yield ngettext(
        "It was made of data under %(count)d agreement; the README.md with its files names it.",
        "It was made of data under %(count)d agreements; the README.md with its files names "
        "them.",
        len(found),
    ) % {"count": len(found)}
    yield from _rights(together)
    if Duty.ATTRIBUTE in together.duties:
        yield _("Name with it the owners of that data, as README.md does.")


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
    if Duty.REVIEW in together.duties or together.place == Place.SECURE:
        yield _("The owner of the data looks at it before it goes out.")

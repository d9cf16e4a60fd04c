"""What keeps a model from being open to everybody: terms, who sent it, licences."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.agreements import descent, inheritance, lean, let_out, terms
from fabriek.agreements.models import Place, Product, Purpose
from fabriek.datasets.models import Dataset, Licence
from fabriek.kernel.errors import Invalid, Refused, Text, WrongState
from fabriek.quality import queries as quality
from fabriek.registry import licences, sources
from fabriek.registry.models import Model
from fabriek.registry.sources import Sources
from fabriek.store import front_matter
from fabriek.store.models import File, Repository, Revision

NOT_BY_TERMS: Text = gettext_lazy(
    "It was made of data of others, and an agreement limits what may be done with it. A model "
    "can be opened when all agreements behind it allow every purpose, anywhere, with weights "
    "that may be taken along, for the whole case and without other conditions, and the owner "
    "of the data let it go out where that was agreed."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What stands in the way; `has_personal_data`: a reason is asked for."""

    obstacles: Sequence[Refused]
    has_personal_data: bool


def standing(model: Model) -> Standing:
    """Say what stands in the way of opening this model."""
    found = sources.of(model)
    return Standing(
        obstacles=list(_obstacles(model, found)),
        has_personal_data=_has_personal_data(found.closed),
    )


def was_let_out(repository: Repository) -> bool:
    """Tell whether each owner who looks at it let it go out, as it is now."""
    return not let_out.kept_in().filter(repository=repository).exists()


def _obstacles(model: Model, found: Sources) -> Iterator[Refused]:
    """Give all of it, what matters most at the front."""
    if not terms_let_it(model):
        yield WrongState(NOT_BY_TERMS, code="made_of_others")
    elif sources.is_of_others(model, found):
        sentence = _(
            "Somebody who is not of your organisation, or not any more, sent this, or closed "
            "data or a closed model that its runs, its card or its files show. What others "
            "sent has to be open to everybody first; else it stays within the case."
        )
        yield WrongState(sentence, code="made_of_others")
    closed = [one for one in _licences_of(model) if not licences.lets_everybody(one)]
    if closed:
        yield Invalid(_licence_said(model, closed[0]), code="licence")
    if what := _of_closed_licence(model, found.closed):
        sentence = _(
            "The licence of what it was made of does not let everybody use it: %(what)s. Give "
            "that an open licence first."
        ) % {"what": what}
        yield Invalid(sentence, code="licence")


# --- terms -------------------------------------------------------------------------------
def terms_let_it(model: Model) -> bool:
    """Tell whether the strictest of all terms leaves everything free, and nobody is named."""
    rows = inheritance.terms_of(model.repository)
    together = terms.strictest_of(terms.of(row.agreement) for row in rows)
    if together is None:
        return True
    is_free = (
        together.purposes == frozenset(Purpose)
        and together.product == Product.MODEL_WEIGHTS
        and together.place == Place.OPEN
        and not together.conditions
    )
    named = any(one.named for one in lean.parties(row.agreement_id for row in rows).values())
    return is_free and not named and was_let_out(model.repository)


# --- licences ----------------------------------------------------------------------------
def _licences_of(model: Model) -> list[str]:
    """Give its licence, and that of a card which was saved and not taken note of yet."""
    newest = Revision.objects.filter(repository=model.repository_id).order_by("-number").first()
    if newest is None or newest.pk == model.revision_id:
        return [model.licence]
    rows = File.objects.filter(revision=newest, path=front_matter.README)
    card = rows.select_related("blob").first()
    if card is None:
        return [model.licence]
    stated = licences.stated(descent.readme(card.blob))
    if not stated and model.run_id is None:
        stated = str(Licence.CONSORTIUM)
    return [model.licence, *([stated] if stated else [])]


def _licence_said(model: Model, licence: str) -> str:
    sentence = (
        _(
            "Its licence, %(licence)s, does not let everybody use it. It comes from the data "
            "and the base model: give the data an open licence and train again."
        )
        if model.run_id
        else _(
            "Its licence, %(licence)s, does not let everybody use it. State an open one in its "
            "README.md."
        )
    )
    return sentence % {"licence": licences.label(licence)}


def _of_closed_licence(model: Model, closed: Sequence[Repository]) -> str:
    """Name what has a licence that is not open; of other cases no more than that it is."""
    case_of = {one.pk: one.case_id for one in closed}
    rows = [
        *Dataset.objects.filter(repository__in=case_of),
        *Model.objects.filter(repository__in=case_of),
    ]
    bound = [one for one in rows if not licences.lets_everybody(one.licence)]
    ours = [one.code for one in bound if case_of[one.repository_id] == model.case_id]
    others = [_("data or a model of others")] if len(ours) < len(bound) else []
    return ", ".join([*sorted(ours), *others])


# --- people ------------------------------------------------------------------------------
def _has_personal_data(closed: Sequence[Repository]) -> bool:
    """Tell whether it is declared of something it was made of, or was found in it."""
    rows = Dataset.objects.filter(repository__in=[one.pk for one in closed])
    return any(
        dataset.has_personal_data or quality.revisions_with_findings(dataset)
        for dataset in rows
    )

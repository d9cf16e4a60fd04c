"""The loop's part for the catalogue: it shows open models as they are by now."""

import logging
import re

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from fabriek.agreements import let_out
from fabriek.agreements.models import Agreement, Place, Product, Purpose
from fabriek.agreements.traces import Inherited
from fabriek.catalogue.model_records import ModelRecord
from fabriek.registry import opening
from fabriek.registry.models import Model
from fabriek.store import shown_card

log = logging.getLogger(__name__)

AT_ONCE = 20
ABOUT_CHARACTERS = 600
SHORTEST_SENTENCE = 40
# What a card has beside sentences: headings, lists, tables, pictures, code, HTML.
NO_PROSE = ("#", "-", "*", "|", "!", "[", "<", "`", ">", "$")

LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
MARKS = re.compile(r"[*`]+")


def tick() -> None:
    """Tell of open models that are new or changed; one that fails does not hold the others.

    First those are closed that the owner of lent data looks at, and does not let go out now;
    and those that an agreement does not let be open.
    """
    for close, models in (
        (opening.close_held_back, _held_back()),
        (opening.close_by_terms, _not_let()),
    ):
        for model in models:
            try:
                close(model)
            except Exception:
                log.exception("%s is not let out, and could not be closed.", model.code)
    for model in _behind()[:AT_ONCE]:
        try:
            _tell(model)
        except Exception:
            log.exception("The catalogue could not be told of %s.", model.code)


def _held_back() -> QuerySet[Model]:
    """Give open models that are held back, or changed since their owner looked."""
    rows = let_out.kept_in().filter(repository__is_open=True)
    return Model.objects.filter(repository__in=rows.values("repository"))


def _not_let() -> QuerySet[Model]:
    """Give open models of data under terms that let none be open: weights that stay, say."""
    named = Agreement.organisations.through.objects.filter(agreement=OuterRef("agreement"))
    is_free = Q(
        agreement__product=Product.MODEL_WEIGHTS,
        agreement__place=Place.OPEN,
        agreement__conditions="",
        agreement__purposes=sorted(Purpose.values),
    )
    rows = Inherited.objects.filter(repository__is_open=True).filter(~is_free | Exists(named))
    return Model.objects.filter(repository__in=rows.values("repository"))


def _behind() -> QuerySet[Model]:
    fits = ModelRecord.objects.filter(
        title=F("repository__model__title"),
        licence=F("repository__model__licence"),
        revision=F("repository__model__revision__number"),
    )
    rows = Model.objects.filter(repository__is_open=True)
    rows = rows.exclude(repository__in=fits.values("repository"))
    return rows.select_related("repository", "revision").order_by("pk")


def _tell(model: Model) -> None:
    """Let a model of a case keep what its makers said of it when they opened it.

    Its card may name data of the case; that of a model from elsewhere is everybody's.
    """
    if model.case_id is not None:
        there = ModelRecord.objects.filter(repository=model.repository_id).first()
        opening.tell(model, about=there.text if there else "")
        return
    card = shown_card.FRONT_MATTER.sub(
        "", model.card[: shown_card.CARD_CHARACTERS_MAX], count=1
    )
    opening.tell(model, about=_first_words(card), words=card)


def _first_words(card: str) -> str:
    """Give the first sentences of a card, without its headings and tables."""
    for part in card.split("\n\n"):
        plain = MARKS.sub("", LINK.sub(r"\1", " ".join(part.split())))
        if len(plain) >= SHORTEST_SENTENCE and not part.lstrip().startswith(NO_PROSE):
            return plain[:ABOUT_CHARACTERS]
    return ""

"""Our own words in ODRL, explained where their addresses lead."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from fabriek.agreements import odrl
from fabriek.agreements.models import Place, Product, Purpose
from fabriek.agreements.wording import LANGUAGES
from fabriek.kernel.errors import Text

BELOW_RESEARCH = "dpv:ResearchAndDevelopment"


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """`broader`: the word of another vocabulary that it is a kind of."""

    name: str
    sentence: Text
    kind: str = "skos:Concept"
    broader: str = ""


WORDS: tuple[Word, ...] = (
    Word(
        name="environment",
        sentence=_("Where the data may be used; all allowed places are named."),
        kind="odrl:LeftOperand",
    ),
    *(Word(name=place.value, sentence=place.label) for place in Place),
    Word(
        name="outputRelease",
        sentence=_("What may be made of the data and go out; all that is allowed is named."),
        kind="odrl:LeftOperand",
    ),
    *(
        Word(name=product.value, sentence=product.label)
        for product in Product
        if product != Product.STATISTICS
    ),
    Word(
        name=Purpose.STATISTICS.value,
        sentence=_("As a purpose: count and describe. As what comes out: figures only."),
    ),
    Word(name="training", sentence=Purpose.TRAINING.label, broader=BELOW_RESEARCH),
    Word(name="evaluation", sentence=Purpose.EVALUATION.label, broader=BELOW_RESEARCH),
    Word(
        name="reviewOutput",
        sentence=_("A duty: the owner looks at each result before it goes out."),
        kind="odrl:Action",
    ),
    Word(
        name="consortium",
        sentence=_("Lent to the whole consortium of the case, also to those that join later."),
    ),
    Word(
        name="namedWithLeader",
        sentence=_(
            "Lent to the organisations that are named, with the one that leads the case."
        ),
    ),
    Word(
        name="namedOnly",
        sentence=_("Lent to the organisations that are named, and to no other of the case."),
    ),
    *(
        Word(name=name, sentence=sentence, kind="rdf:Property")
        for name, sentence in (
            ("conditions", _("Other conditions in words, which people keep to.")),
            ("case", _("The code of the case in which the data may be used.")),
            ("dataset", _("The code of the dataset.")),
            ("lentTo", _("Whether the organisations that are named are all it is lent to.")),
            ("state", _("Where the agreement stands.")),
            ("textVersion", _("The version of the text that people sign.")),
            ("textSha256", _("The SHA-256 of the very text that was signed.")),
            ("name", _("The name of an organisation.")),
            ("kvkNumber", _("Its number in the Dutch trade register.")),
            ("foreignNumber", _("Its EUID, VAT number or number in a register abroad.")),
        )
    ),
)


def as_json_ld() -> dict[str, Any]:
    """Tell the words as a SKOS scheme, in both languages."""
    address = odrl.namespace()
    return {
        "@context": {
            "skos": "http://www.w3.org/2004/02/skos/core#",
            "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
            "odrl": odrl.ODRL,
            "dpv": odrl.DPV,
        },
        "@id": address.rstrip("#"),
        "@type": ["skos:ConceptScheme", "odrl:Profile"],
        "skos:hasTopConcept": [_told(word, address) for word in WORDS],
    }


def _told(word: Word, address: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "@id": f"{address}{word.name}",
        "@type": word.kind,
        "skos:definition": [_in(language, word.sentence) for language in LANGUAGES],
    }
    if word.broader:
        told["skos:broader"] = {"@id": word.broader}
    return told


def _in(language: str, sentence: Text) -> dict[str, str]:
    with override(language):
        return {"@language": language, "@value": str(sentence)}

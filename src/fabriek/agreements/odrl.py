"""Agreements as ODRL 2.2 in JSON-LD, in a small closed profile: what is not here is not.

The standard says how a policy is written, not how it is decided on, and programs differ. So
only what the policy decision point can decide is written, and nothing else is read back
(`odrl_reading`). Whatever a program needs to read one stands in it: no context is fetched.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.conf import settings

from fabriek.agreements import rules, terms
from fabriek.agreements.models import Agreement, Duty, Place, Product, Purpose
from fabriek.agreements.states import AgreementState
from fabriek.agreements.terms import PLACES, PRODUCTS, Terms
from fabriek.people.models import Organisation

Json = dict[str, Any]

ODRL = "http://www.w3.org/ns/odrl/2/"
DPV = "https://w3id.org/dpv#"
XSD = "http://www.w3.org/2001/XMLSchema#"
OFFICIAL_CONTEXT = "http://www.w3.org/ns/odrl.jsonld"
# The Data Privacy Vocabulary (2.0) has one of the four; the others are ours, below its terms.
PURPOSES: dict[Purpose, str] = {
    Purpose.TRAINING: "fabriek:training",
    Purpose.EVALUATION: "fabriek:evaluation",
    Purpose.RESEARCH: "dpv:ScientificResearch",
    Purpose.STATISTICS: "fabriek:statistics",
}
# Met for as long as the policy holds; deleting comes after, so it is an obligation beside it.
DUTIES: dict[Duty, str] = {Duty.ATTRIBUTE: "attribute", Duty.REVIEW: "fabriek:reviewOutput"}
DATE_TIME, PURPOSE = "dateTime", "purpose"
ENVIRONMENT, OUTPUT = "fabriek:environment", "fabriek:outputRelease"
TYPES = {AgreementState.ASKED: "Request", AgreementState.OFFERED: "Offer"}


def namespace() -> str:
    """Give where our own words are explained: a page of this very factory."""
    return f"{settings.FACTORY_URL}/agreements/terms#"


def context() -> Json:
    """Say what each word means, in place of a context that would have to be fetched."""
    links = ("permission", "prohibition", "obligation", "duty", "constraint", "target")
    parties = ("assigner", "assignee", "profile")
    words = ("action", "leftOperand", "operator", "conflict")
    return {
        "odrl": ODRL,
        "dpv": DPV,
        "xsd": XSD,
        "fabriek": namespace(),
        "uid": "@id",
        **{kind: f"odrl:{kind}" for kind in ("Agreement", "Offer", "Request", "Party")},
        **{name: {"@id": f"odrl:{name}", "@type": "@id"} for name in (*links, *parties)},
        **{name: {"@id": f"odrl:{name}", "@type": "@vocab"} for name in words},
        "rightOperand": {"@id": "odrl:rightOperand"},
        "@vocab": ODRL,
    }


def offer(
    agreed: Terms, *, uid: str, target: str, assigner: Organisation | None = None
) -> Json:
    """Write terms as an offer to whom it may concern.

    It brings its own context, so it can stand inside another document as it is: `usageInfo` of
    Croissant, `odrl:hasPolicy` of DCAT. `uid` and `target` are addresses.
    """
    parties = {"assigner": _party(assigner)} if assigner else {}
    return _policy("Offer", agreed, uid=uid, target=target, more=parties)


def policy_of(agreement: Agreement) -> Json:
    """Write one agreement: what was only asked is a request, what was only offered an offer.

    What is over ends when it was over, whatever its text says: a program reads no further.
    """
    users = rules.parties_of(agreement)[1:] or [agreement.repository.organisation]
    agreed = terms.of(agreement)
    if agreement.over_at and agreement.over_at < agreed.ends_at:
        agreed = replace(agreed, ends_at=agreement.over_at)
    kind = TYPES.get(AgreementState(agreement.state), "Agreement")
    if not agreement.in_force_at and kind == "Agreement":
        kind = "Offer"
    more = {
        "assigner": _party(agreement.repository.organisation),
        "assignee": [_party(user) for user in users],
        "fabriek:case": agreement.case.code,
        "fabriek:dataset": agreement.repository.code,
        "fabriek:lentTo": lent_to(
            is_named=bool(agreement.organisations.all()), with_leader=agreement.with_leader
        ),
        "fabriek:state": agreement.state,
        "fabriek:textVersion": agreement.text_version,
        "fabriek:textSha256": agreement.text_sha256,
    }
    address = f"{settings.FACTORY_URL}{agreement.get_absolute_url()}"
    target = target_of(agreement.repository.code or "")
    return _policy(kind, agreed, uid=address, target=target, more=more)


def address_of(organisation: Organisation) -> str:
    return f"{settings.FACTORY_URL}{organisation.get_absolute_url()}"


def target_of(code: str) -> str:
    return f"{settings.FACTORY_URL}/data/{code}/"


def lent_to(*, is_named: bool, with_leader: bool) -> str:
    """Say in one word whom `assignee` stands for: them alone, or the whole consortium."""
    if not is_named:
        return "fabriek:consortium"
    return "fabriek:namedWithLeader" if with_leader else "fabriek:namedOnly"


def allowed_places(place: Place) -> tuple[Place, ...]:
    """Name where it may be used: there, or anywhere stricter."""
    return PLACES[PLACES.index(place) :]


def allowed_products(product: Product) -> tuple[Product, ...]:
    """Name what may come out: that, or anything less."""
    return PRODUCTS[: PRODUCTS.index(product) + 1]


def _policy(kind: str, agreed: Terms, *, uid: str, target: str, more: Json) -> Json:
    policy: Json = {
        "@context": context(),
        "@type": kind,
        "uid": uid,
        "profile": namespace(),
        "conflict": "prohibit",
        **more,
        "permission": [_permission(agreed, target)],
        # Stands in the text of each agreement, whatever its terms.
        "prohibition": [{"target": target, "action": "distribute"}],
    }
    if Duty.DELETE in agreed.duties:
        after = _constraint(DATE_TIME, "gteq", _moment(agreed.ends_at.isoformat()))
        policy["obligation"] = [{"target": target, "action": "delete", "constraint": [after]}]
    if agreed.conditions:
        policy["fabriek:conditions"] = sorted(agreed.conditions)
    return policy


def _permission(agreed: Terms, target: str) -> Json:
    permission: Json = {
        "target": target,
        "action": "use",
        "constraint": [
            _constraint(DATE_TIME, "gteq", _moment(agreed.begins_at.isoformat())),
            _constraint(DATE_TIME, "lt", _moment(agreed.ends_at.isoformat())),
            _any_of(PURPOSE, (PURPOSES[one] for one in Purpose if one in agreed.purposes)),
            _any_of(OUTPUT, (f"fabriek:{one}" for one in allowed_products(agreed.product))),
            _any_of(ENVIRONMENT, (f"fabriek:{one}" for one in allowed_places(agreed.place))),
        ],
    }
    duties = [{"action": word} for duty, word in DUTIES.items() if duty in agreed.duties]
    if duties:
        permission["duty"] = duties
    return permission


def _constraint(left: str, operator: str, right: object) -> Json:
    return {"leftOperand": left, "operator": operator, "rightOperand": right}


def _any_of(left: str, words: Iterable[str]) -> Json:
    return _constraint(left, "isAnyOf", [{"@id": word} for word in words])


def _moment(iso: str) -> Json:
    return {"@type": "xsd:dateTime", "@value": iso}


def _party(organisation: Organisation) -> Json:
    return {
        "@type": "Party",
        "uid": address_of(organisation),
        "fabriek:name": organisation.name,
        **number_of(organisation),
    }


def number_of(organisation: Organisation) -> dict[str, str]:
    if organisation.kvk_number:
        return {"fabriek:kvkNumber": organisation.kvk_number}
    return {"fabriek:foreignNumber": organisation.foreign_number}

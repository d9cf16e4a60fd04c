"""Read terms out of an ODRL policy; what our profile does not have is refused by its name.

Nothing is passed over in silence: a condition that was not understood would be a condition that
is not kept.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.utils.translation import gettext as _

from fabriek.agreements import json_ld, odrl, odrl_parties
from fabriek.agreements.models import Duty, Place, Product, Purpose
from fabriek.agreements.odrl import ODRL, OFFICIAL_CONTEXT
from fabriek.agreements.terms import PLACES, PRODUCTS, Terms
from fabriek.people.models import Organisation

Word = TypeVar("Word", Place, Product)

KINDS = frozenset({"Agreement", "Offer", "Request", "Set", "Policy"})
# Who and what it is about: told beside the terms, and compared with what was asked for.
ABOUT = frozenset(
    {
        "@context", "@type", "type", "@id", "uid", "profile", "conflict", "target", "assigner",
        "assignee", "fabriek:case", "fabriek:dataset", "fabriek:lentTo", "fabriek:state",
        "fabriek:textVersion", "fabriek:textSha256",
    }
)  # fmt: skip
TERMS = frozenset({"permission", "prohibition", "obligation", "fabriek:conditions"})
OF_RULE = frozenset({"target", "action"})
TOLD = ("fabriek:state", "fabriek:textVersion", "fabriek:textSha256")


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What a policy has to be about, where it says so; what is empty here may be anything.

    `dataset` and `case` are codes; `users`: the organisations that would get the data, and
    `lent_to` the word for whether they are all.
    """

    dataset: str = ""
    case: str = ""
    owner: Organisation | None = None
    users: tuple[Organisation, ...] = ()
    lent_to: str = ""


ANYTHING = About()


def terms_in(policy: object, about: About = ANYTHING) -> Terms:
    """Give the terms of a policy that was written in our profile.

    Raises:
        Invalid: something in it is unknown here, or missing; the sentence names it.
    """
    whole = json_ld.an_object(policy, "policy")
    _require_context(whole.get("@context"))
    json_ld.only(whole, ABOUT | TERMS)
    _require_kind(whole)
    _require_about(whole, about)
    dataset = about.dataset
    permissions = json_ld.several(whole.get("permission"), "permission")
    if len(permissions) != 1:
        raise json_ld.refused(
            _("The policy must have exactly one permission; it has %(count)d.")
            % {"count": len(permissions)}
        )
    permission = json_ld.an_object(permissions[0], "permission")
    json_ld.only(permission, OF_RULE | {"constraint", "duty"})
    _require_action(permission, "use")
    _require_target(permission, dataset)
    for each in json_ld.several(whole.get("prohibition"), "prohibition"):
        rule = json_ld.an_object(each, "prohibition")
        json_ld.only(rule, OF_RULE)
        _require_action(rule, "distribute")
        _require_target(rule, dataset)
    found = _constraints(permission)
    ends_at = found.moment("lt")
    duties = _duties(permission)
    if _must_delete(whole, ends_at, dataset):
        duties |= {Duty.DELETE}
    return Terms(
        purposes=_purposes(found),
        product=_step(found, odrl.OUTPUT, PRODUCTS, odrl.allowed_products),
        place=_step(found, odrl.ENVIRONMENT, PLACES, odrl.allowed_places),
        duties=frozenset(duties),
        begins_at=found.moment("gteq"),
        ends_at=ends_at,
        conditions=_conditions(whole.get("fabriek:conditions")),
    )


class _Constraints:
    """What stands in a permission: {(left operand, operator): right operand}."""

    def __init__(self, found: Mapping[tuple[str, str], object]) -> None:
        self.found = found

    def moment(self, operator: str) -> datetime:
        key = (json_ld.iri(odrl.DATE_TIME), json_ld.iri(operator))
        if key not in self.found:
            raise json_ld.missing(f"{odrl.DATE_TIME} {operator}")
        return json_ld.moment(self.found[key])

    def words(self, left: str) -> set[str]:
        """Give the full names on the right; `eq` is `isAnyOf` with one."""
        for operator in ("isAnyOf", "eq"):
            if (key := (json_ld.iri(left), json_ld.iri(operator))) in self.found:
                words = [json_ld.iri(one) for one in json_ld.several(self.found[key], left)]
                if operator == "eq" and len(words) != 1:
                    raise json_ld.unknown("rightOperand", self.found[key])
                return set(words)
        raise json_ld.missing(left)


def _constraints(permission: Mapping[str, Any]) -> _Constraints:
    known = {
        json_ld.iri(odrl.DATE_TIME): {json_ld.iri("gteq"), json_ld.iri("lt")},
        json_ld.iri(odrl.PURPOSE): {json_ld.iri("isAnyOf"), json_ld.iri("eq")},
        json_ld.iri(odrl.OUTPUT): {json_ld.iri("isAnyOf"), json_ld.iri("eq")},
        json_ld.iri(odrl.ENVIRONMENT): {json_ld.iri("isAnyOf"), json_ld.iri("eq")},
    }
    found: dict[tuple[str, str], object] = {}
    lefts = set()
    for each in json_ld.several(permission.get("constraint"), "constraint"):
        constraint = json_ld.an_object(each, "constraint")
        json_ld.only(constraint, {"leftOperand", "operator", "rightOperand"})
        left, operator = (
            json_ld.iri(constraint.get("leftOperand")),
            json_ld.iri(constraint.get("operator")),
        )
        if left not in known:
            raise json_ld.unknown("leftOperand", constraint.get("leftOperand"))
        if operator not in known[left]:
            raise json_ld.unknown("operator", constraint.get("operator"))
        # Two that say different things about one operand: which holds is not for us to guess.
        seen = (left, operator) if left == json_ld.iri(odrl.DATE_TIME) else (left, "")
        if seen in lefts:
            raise json_ld.unknown("constraint", constraint.get("leftOperand"))
        lefts.add(seen)
        found[left, operator] = constraint.get("rightOperand")
    return _Constraints(found)


def _purposes(found: _Constraints) -> frozenset[Purpose]:
    known = {json_ld.iri(word): purpose for purpose, word in odrl.PURPOSES.items()}
    words = found.words(odrl.PURPOSE)
    if strange := sorted(words - known.keys()):
        raise json_ld.unknown("purpose", strange[0])
    return frozenset(known[word] for word in words)


def _step(
    found: _Constraints,
    left: str,
    steps: tuple[Word, ...],
    allowed: Callable[[Word], tuple[Word, ...]],
) -> Word:
    """Find the step of a ladder whose allowed steps are just these."""
    words = found.words(left)
    known = {json_ld.iri(f"fabriek:{step}"): step for step in steps}
    if strange := sorted(words - known.keys()):
        raise json_ld.unknown(left, strange[0])
    chosen = {known[word] for word in words}
    for step in steps:
        if set(allowed(step)) == chosen:
            return step
    raise json_ld.refused(
        _(
            "“%(name)s” allows a combination that this factory cannot keep to. Whoever allows "
            "more allows less too, and whoever allows a place allows stricter ones."
        )
        % {"name": left}
    )


def _duties(permission: Mapping[str, Any]) -> set[Duty]:
    known = {json_ld.iri(word): duty for duty, word in odrl.DUTIES.items()}
    found = set()
    for each in json_ld.several(permission.get("duty"), "duty"):
        duty = json_ld.an_object(each, "duty")
        json_ld.only(duty, {"action"})
        if (action := json_ld.iri(duty.get("action"))) not in known:
            raise json_ld.unknown("duty", duty.get("action"))
        found.add(known[action])
    return found


def _must_delete(whole: Mapping[str, Any], ends_at: datetime, dataset: str) -> bool:
    """Tell whether copies go at the end: the only obligation there is, and only then."""
    obligations = json_ld.several(whole.get("obligation"), "obligation")
    for each in obligations:
        rule = json_ld.an_object(each, "obligation")
        json_ld.only(rule, OF_RULE | {"constraint"})
        _require_action(rule, "delete")
        _require_target(rule, dataset)
        for part in json_ld.several(rule.get("constraint"), "constraint"):
            constraint = json_ld.an_object(part, "constraint")
            json_ld.only(constraint, {"leftOperand", "operator", "rightOperand"})
            if json_ld.iri(constraint.get("leftOperand")) != json_ld.iri(odrl.DATE_TIME):
                raise json_ld.unknown("leftOperand", constraint.get("leftOperand"))
            if json_ld.iri(constraint.get("operator")) != json_ld.iri("gteq"):
                raise json_ld.unknown("operator", constraint.get("operator"))
            if json_ld.moment(constraint.get("rightOperand")) != ends_at:
                raise json_ld.refused(
                    _("Data is deleted when the agreement ends, not at another time.")
                )
    return bool(obligations)


def _conditions(found: object) -> frozenset[str]:
    said = json_ld.several(found, "fabriek:conditions")
    if any(not isinstance(each, str) or not each for each in said):
        raise json_ld.unknown("fabriek:conditions", found)
    return frozenset(str(each) for each in said)


def _require_context(found: object) -> None:
    """Take only contexts that give words the meaning they have here; none is fetched."""
    ours = odrl.context()
    for each in json_ld.several(found, "@context"):
        if isinstance(each, dict):
            for word, meaning in each.items():
                if ours.get(word) != meaning:
                    raise json_ld.unknown("@context", word)
        elif each != OFFICIAL_CONTEXT:
            raise json_ld.unknown("@context", each)


def _require_kind(whole: Mapping[str, Any]) -> None:
    _require_one_meaning(whole, "@type", "type")
    kind = whole.get("@type", whole.get("type"))
    if not isinstance(kind, str) or json_ld.iri(kind).removeprefix(ODRL) not in KINDS:
        raise json_ld.unknown("@type", kind)
    conflict = whole.get("conflict", "prohibit")
    if json_ld.iri(conflict) != json_ld.iri("prohibit"):
        raise json_ld.unknown("conflict", conflict)


def _require_about(whole: Mapping[str, Any], about: About) -> None:
    _require_target(whole, about.dataset)
    for name, expected in (
        ("fabriek:dataset", about.dataset),
        ("fabriek:case", about.case),
        ("fabriek:lentTo", about.lent_to),
    ):
        found = whole.get(name, expected)
        if not isinstance(found, str) or (expected and found != expected):
            raise json_ld.unknown(name, found)
    _require_one_meaning(whole, "@id", "uid")
    for name in ("@id", "uid", *TOLD):
        if not isinstance(whole.get(name, ""), str):
            raise json_ld.unknown(name, whole[name])
    for profile in json_ld.several(whole.get("profile"), "profile"):
        if profile != odrl.namespace():
            raise json_ld.unknown("profile", profile)
    odrl_parties.require(whole, "assigner", (about.owner,) if about.owner else ())
    odrl_parties.require(whole, "assignee", about.users)


def _require_target(rule: Mapping[str, Any], dataset: str) -> None:
    if "target" not in rule:
        return
    target = rule["target"]
    if isinstance(target, dict):
        json_ld.only(target, {"uid", "@id"})
        _require_one_meaning(target, "@id", "uid")
        target = target.get("uid", target.get("@id"))
    if not isinstance(target, str) or (dataset and target != odrl.target_of(dataset)):
        raise json_ld.unknown("target", target)


def _require_one_meaning(found: Mapping[str, Any], name: str, alias: str) -> None:
    """Refuse a name that is written in both its ways, each with another value."""
    if name in found and alias in found and found[name] != found[alias]:
        raise json_ld.unknown(alias, found[alias])


def _require_action(rule: Mapping[str, Any], expected: str) -> None:
    if json_ld.iri(rule.get("action")) != json_ld.iri(expected):
        raise json_ld.unknown("action", rule.get("action"))

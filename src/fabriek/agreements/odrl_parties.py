"""The parties of an ODRL policy: read as strictly as its terms, and held against who signs."""

from collections.abc import Mapping
from typing import Any

from fabriek.agreements import json_ld, odrl
from fabriek.people.models import Organisation

NUMBERS = frozenset({"fabriek:kvkNumber", "fabriek:foreignNumber"})
NAMES = frozenset({"@type", "uid", "@id", "fabriek:name"}) | NUMBERS
WHO = frozenset({"uid", "@id"}) | NUMBERS


def require(whole: Mapping[str, Any], name: str, expected: tuple[Organisation, ...]) -> None:
    """Refuse parties that are none, or others than just those that are `expected`, if any are.

    Raises: Invalid.
    """
    found = [_party(each, name) for each in json_ld.several(whole.get(name), name)]
    if not expected or name not in whole:
        return
    known = all(any(_is(party, one) for one in expected) for party in found)
    whole_circle = all(any(_is(party, one) for party in found) for one in expected)
    if not (known and whole_circle):
        raise json_ld.unknown(name, whole[name])


def _party(found: object, name: str) -> Mapping[str, str]:
    party = {"uid": found} if isinstance(found, str) else json_ld.an_object(found, name)
    json_ld.only(party, NAMES)
    for said in party.values():
        if not isinstance(said, str):
            raise json_ld.unknown(name, said)
    if json_ld.iri(party.get("@type", "Party")) != json_ld.iri("Party"):
        raise json_ld.unknown("@type", party["@type"])
    if WHO.isdisjoint(party):
        raise json_ld.unknown(name, found)
    return party


def _is(party: Mapping[str, str], organisation: Organisation) -> bool:
    """Tell whether all that is said of a party is true of this organisation."""
    address = odrl.address_of(organisation)
    true = {
        "@type": party.get("@type"),
        "uid": address,
        "@id": address,
        "fabriek:name": organisation.name,
        **odrl.number_of(organisation),
    }
    return all(true.get(name) == said for name, said in party.items())

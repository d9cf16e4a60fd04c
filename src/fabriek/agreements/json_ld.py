"""The words of ODRL as they are written in JSON, and what is said of those we do not know."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive
from django.utils.translation import gettext as _

from fabriek.agreements import odrl
from fabriek.agreements.odrl import ODRL, XSD
from fabriek.kernel.errors import Invalid

MOST_SAID = 60  # characters of a name that is not ours, in a sentence about it
MOST_PARTS = 50  # no policy of this profile has more of anything


def iri(name: object) -> str:
    """Give the full name of a word, whichever of the usual ways it was written."""
    if isinstance(name, dict) and len(name) == 1:
        name = name.get("@id", name.get("uid"))
    if not isinstance(name, str):
        raise unknown("name", name)
    short, colon, rest = name.partition(":")
    if not colon:
        return f"{ODRL}{name}"
    prefix = {"odrl": ODRL, "dpv": odrl.DPV, "xsd": XSD, "fabriek": odrl.namespace()}
    return f"{prefix[short]}{rest}" if short in prefix else name


def moment(found: object) -> datetime:
    value = found
    if isinstance(found, dict):
        only(found, {"@type", "@value"})
        if iri(found.get("@type")) != f"{XSD}dateTime":
            raise unknown("rightOperand", found.get("@type"))
        value = found.get("@value")
    try:
        read = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        read = None
    if read is None or is_naive(read):
        raise unknown(odrl.DATE_TIME, value)
    return read


def an_object(found: object, name: str) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise unknown(name, found)
    return found


def several(found: object, name: str) -> list[object]:
    """JSON-LD writes one as itself, and several as a list."""
    if found is None:
        return []
    parts = found if isinstance(found, list) else [found]
    if len(parts) > MOST_PARTS:
        raise refused(
            _("There are too many of “%(name)s”. Keep at most %(most)d.")
            % {"name": name, "most": MOST_PARTS}
        )
    return parts


def only(found: Mapping[str, Any], known: frozenset[str] | set[str]) -> None:
    for name in found:
        if name not in known:
            raise refused(
                _("“%(name)s” is not part of the profile of this factory. Leave it out.")
                % {"name": _short(name)}
            )


def missing(name: str) -> Invalid:
    return refused(
        _("The policy says nothing about “%(name)s”. Add it as this factory writes it.")
        % {"name": name}
    )


def unknown(name: str, value: object) -> Invalid:
    return refused(
        _(
            "“%(value)s” cannot stand at “%(name)s” in the profile of this factory. Look on "
            "the page of its own words what can: %(page)s"
        )
        % {"name": name, "value": _short(value), "page": odrl.namespace().rstrip("#")}
    )


def _short(value: object) -> str:
    said = str(value)
    return said if len(said) <= MOST_SAID else f"{said[:MOST_SAID]}…"


def refused(sentence: str) -> Invalid:
    return Invalid(sentence, code="odrl_not_ours", fields={"odrl": sentence})

"""Keys for programs: made once, kept as a digest, checked without telling why one failed."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from fabriek.kernel.prepared import Prepared
from fabriek.people.models import Person, Token

PREFIX = "fbk_"
SHOWN = 12  # characters of the key that are kept readable, so that people can tell keys apart


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as it is shown once: `key` goes to the person, `digest` into the database."""

    key: str
    prefix: str
    digest: str


def new_key() -> NewKey:
    key = PREFIX + secrets.token_urlsafe(32)
    return NewKey(key=key, prefix=key[:SHOWN], digest=digest(key))


def digest(key: str) -> str:
    """Keys are long and random, so that a plain hash is enough and a lookup stays one query."""
    return hashlib.sha256(key.encode()).hexdigest()


def find(key: str) -> Token | None:
    """Return the token of `key` when it is still good, and note the day of its last use."""
    now = timezone.now()
    token = _with_person(digest(key))
    if token is None or not token.is_valid(now) or not token.person.is_active:
        return None
    today = timezone.localdate(now)
    if token.last_used_on != today:
        Token.objects.filter(pk=token.pk).update(last_used_on=today)
    return token


def _with_person(digest: str) -> Token | None:
    """Read the token, its person and what they are and do, which all calls ask, at once."""
    # One row for each pair of a membership and a duty: people have few of either.
    pairs = _FOUND.rows(digest)
    if not pairs:
        return None
    token = Token.from_db("default", TOKEN, pairs[0][: len(TOKEN)])
    token.person = Person.from_db("default", PERSON, pairs[0][len(TOKEN) : -4])
    token.person.roles = {
        organisation: role for *_rest, organisation, role, _, _ in pairs if organisation
    }
    token.person.duties = {duty: funder for *_rest, duty, funder in pairs if duty}
    return token


def _found(digest: str) -> "QuerySet[Token, Any]":
    return Token.objects.filter(digest=digest).values_list(
        *TOKEN,
        *(f"person__{name}" for name in PERSON),
        "person__memberships__organisation",
        "person__memberships__role",
        "person__duty__duty",
        "person__duty__funder_code",
    )


TOKEN = [field.attname for field in Token._meta.concrete_fields]
PERSON = [field.attname for field in Person._meta.concrete_fields]
_FOUND = Prepared(_found)

"""Keys for programs: made once, kept as a digest, checked without telling why one failed."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from fabriek.kernel.prepared import Prepared, Statement
from fabriek.people.models import Person, Token

PREFIX = "fbk_"
SHOWN = 12  # characters of the key that are kept readable, so that people can tell keys apart
REMEMBERED_MAX = 1000


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as it is shown once: `key` goes to the person, `digest` into the database."""

    key: str
    prefix: str
    digest: str


@dataclass(frozen=True, slots=True)
class Remembered:
    """A token as it was found before, with its person.

    It may be revoked since, or its person gone: nothing is done for it but by a statement that
    has `still` among its conditions, which tells whether all of it is as it was.
    """

    token: Token
    still: Statement


def new_key() -> NewKey:
    key = PREFIX + secrets.token_urlsafe(32)
    return NewKey(key=key, prefix=key[:SHOWN], digest=digest(key))


def digest(key: str) -> str:
    """Keys are long and random, so that a plain hash is enough and a lookup stays one query."""
    return hashlib.sha256(key.encode()).hexdigest()


def find(key: str) -> Token | None:
    """Return the token of `key` when it is still good, and note the day of its last use."""
    return _used(_with_person(_FOUND.rows(digest(key))), timezone.now())


def find_and_remember(key: str) -> Token | None:
    """Do as `find`, for a program that calls again and again: see `remembered`."""
    hashed, now = digest(key), timezone.now()
    pairs, mark = _FOUND.marked_rows(hashed)
    token = _used(_with_person(pairs), now)
    if token and mark and _is_noted(token, now):
        if len(_remembered) >= REMEMBERED_MAX:
            _remembered.clear()
        _remembered[hashed] = Remembered(token, _FOUND.still(mark, hashed))
    return token


def remembered(key: str) -> Remembered | None:
    """Give the token as this process found it before, if it is good should it still be so."""
    found, now = _remembered.get(digest(key)), timezone.now()
    if found and _is_good(found.token, now) and _is_noted(found.token, now):
        return found
    return None


def _is_good(token: Token, now: datetime) -> bool:
    return token.is_valid(now) and token.person.is_active


def _is_noted(token: Token, now: datetime) -> bool:
    return token.last_used_on == timezone.localdate(now)


def _used(token: Token | None, now: datetime) -> Token | None:
    if token is None or not _is_good(token, now):
        return None
    if not _is_noted(token, now):
        Token.objects.filter(pk=token.pk).update(last_used_on=timezone.localdate(now))
    return token


def _with_person(pairs: Sequence[tuple[Any, ...]]) -> Token | None:
    """Make the token, its person and what they are and do, which all calls ask, of its rows."""
    # One row for each pair of a membership and a duty: people have few of either.
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
_remembered: dict[str, Remembered] = {}  # by the digest

"""How often somebody may name a case or organisation that is none of theirs, and be wrong.

Who offers data has to say for whom. Without a limit that would tell, guess by guess, who works
with whom. Each process of the factory counts by itself.
"""

from django.core.cache import cache

from fabriek.agreements import refusals
from fabriek.people.models import Person

MOST = 10
WITHIN_S = 3600


def require_some_left(person: Person) -> None:
    """Refuse to look for more after too many wrong ones within the hour."""
    if (cache.get(_key(person)) or 0) >= MOST:
        raise refusals.too_many_tries()


def count(person: Person) -> None:
    """Count one that was wrong; the hour begins with the first."""
    key = _key(person)
    if cache.add(key, 1, WITHIN_S):
        return
    try:
        cache.incr(key)
    except ValueError:  # the hour was over just now
        cache.add(key, 1, WITHIN_S)


def _key(person: Person) -> str:
    return f"agreements.tries.{person.pk}"

"""Keys for one upload by the Xet protocol: for one person and one repository, for a while."""

import time
from dataclasses import dataclass

from django.core import signing
from django.utils.translation import gettext as _

from fabriek.hub.refusals import NotSignedIn
from fabriek.people.models import Person
from fabriek.store.models import Repository

SALT = "fabriek.hub.xet"
# A program fetches a new one by itself while it goes on.
GOOD_FOR_S = 15 * 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Pass:
    person_id: int
    repository_id: int


def new_key(person: Person, repository: Repository) -> str:
    return signing.dumps([person.pk, repository.pk], salt=SALT)


def read(key: str) -> Pass:
    """Raise: NotSignedIn."""
    try:
        person_id, repository_id = signing.loads(key, salt=SALT, max_age=GOOD_FOR_S)
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise NotSignedIn(
            _("This upload took a pause that was too long. Start it again."),
            code="xet_token",
        ) from error
    return Pass(person_id=person_id, repository_id=repository_id)


def expires_at() -> int:
    """Tell until when a key made now is good, in seconds since 1970."""
    return int(time.time()) + GOOD_FOR_S

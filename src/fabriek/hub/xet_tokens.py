"""Keys for one upload by the Xet protocol: for one token and one repository, for a while."""

import time
from dataclasses import dataclass

from django.core import signing
from django.utils.translation import gettext as _

from fabriek.hub.refusals import NotSignedIn
from fabriek.people.models import Token
from fabriek.store.models import Repository

SALT = "fabriek.hub.xet"
# A program fetches a new one by itself while it goes on.
GOOD_FOR_S = 15 * 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Pass:
    token_id: int
    person_id: int
    repository_id: int


def new_key(token: Token, repository: Repository) -> str:
    return signing.dumps([token.pk, token.person_id, repository.pk], salt=SALT)


def read(key: str) -> Pass:
    """Raise: NotSignedIn."""
    try:
        token_id, person_id, repository_id = signing.loads(key, salt=SALT, max_age=GOOD_FOR_S)
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise NotSignedIn(
            _("This upload took a pause that was too long. Start it again."),
            code="xet_token",
        ) from error
    return Pass(token_id=token_id, person_id=person_id, repository_id=repository_id)


def expires_at() -> int:
    """Tell until when a key made now is good, in seconds since 1970."""
    return int(time.time()) + GOOD_FOR_S

"""Links to upload by: signed, short-lived, for one file of one repository by one token."""

import secrets
from dataclasses import dataclass

from django.core import signing
from django.utils.translation import gettext as _

from fabriek.hub import doors, refusals
from fabriek.people.models import Person, Token
from fabriek.store.models import Repository
from fabriek.store.singles import checked

SALT = "fabriek.hub.lfs"
# To begin by: an upload that runs on is not cut off.
BASIC_S = 3600
# Parts are sent one after the other, and each asks for its link anew.
PARTS_S = 24 * 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """What a link is good for. `key` names the place of its parts; empty: sent in one piece.

    The token is that of who asked: without it the link opens nothing any more.
    """

    repository: Repository
    token: Token
    oid: str
    size_bytes: int
    key: str = ""
    part_bytes: int = 0

    @property
    def person(self) -> Person:
        return self.token.person


def signed(upload: Upload) -> str:
    return signing.dumps(
        [
            upload.repository.pk,
            upload.token.pk,
            upload.token.person_id,
            upload.oid,
            upload.size_bytes,
            upload.key,
            upload.part_bytes,
        ],
        salt=SALT,
    )


def new_key() -> str:
    return secrets.token_hex(16)


def read(link: str, *, to_begin: bool = True) -> Upload:
    """Tell what a link is good for now; to begin an upload sooner no more than to end it.

    Raises:
        LinkOver: forged, too old, or of a token that is no longer good.
        NotAllowed, WrongState: its person may not write there any more.
    """
    try:
        told = signing.loads(link, salt=SALT, max_age=PARTS_S)
        repository_id, token_id, person_id, oid, size_bytes, key, part_bytes = told
        if to_begin and not key:
            signing.loads(link, salt=SALT, max_age=BASIC_S)
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise link_over() from error
    token = doors.still_good(token_id, person_id)
    repository = Repository.objects.select_related("case").filter(pk=repository_id).first()
    if token is None or repository is None:
        raise link_over()
    doors.require_write(token.person, repository)
    return Upload(
        repository=repository,
        token=token,
        oid=checked(oid),
        size_bytes=size_bytes,
        key=key,
        part_bytes=part_bytes,
    )


def link_over() -> refusals.LinkOver:
    return refusals.LinkOver(
        _("This link to upload by is not good, or no longer. Start the upload again.")
    )

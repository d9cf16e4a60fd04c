"""Links to upload by: signed, short-lived, for one file of one repository by one person."""

import secrets
from dataclasses import dataclass

from django.core import signing
from django.utils.translation import gettext as _

from fabriek.hub import doors, refusals
from fabriek.people.models import Person
from fabriek.store.models import Repository
from fabriek.store.singles import checked

SALT = "fabriek.hub.lfs"
# To begin by: an upload that runs on is not cut off.
BASIC_S = 3600
# Parts are sent one after the other, and each asks for its link anew.
PARTS_S = 24 * 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """What a link is good for. `key` names the place of its parts; empty: sent in one piece."""

    repository: Repository
    person: Person
    oid: str
    size_bytes: int
    key: str = ""


def signed(upload: Upload) -> str:
    return signing.dumps(
        [
            upload.repository.pk,
            upload.person.pk,
            upload.oid,
            upload.size_bytes,
            upload.key,
        ],
        salt=SALT,
    )


def new_key() -> str:
    return secrets.token_hex(16)


def read(link: str, *, to_begin: bool = True) -> Upload:
    """Tell what a link is good for now; to begin an upload sooner no more than to end it.

    Raises:
        LinkOver: forged, or too old.
        NotAllowed, WrongState: its person may not write there any more.
    """
    try:
        told = signing.loads(link, salt=SALT, max_age=PARTS_S)
        repository_id, person_id, oid, size_bytes, key = told
        if to_begin and not key:
            signing.loads(link, salt=SALT, max_age=BASIC_S)
    except signing.BadSignature as error:
        raise link_over() from error
    person = Person.objects.filter(pk=person_id, is_active=True).first()
    repository = Repository.objects.select_related("case").filter(pk=repository_id).first()
    if person is None or repository is None:
        raise link_over()
    doors.require_write(person, repository)
    return Upload(
        repository=repository,
        person=person,
        oid=checked(oid),
        size_bytes=size_bytes,
        key=key,
    )


def link_over() -> refusals.LinkOver:
    return refusals.LinkOver(
        _("This link to upload by is not good, or no longer. Start the upload again.")
    )

"""What the store says when it cannot save a revision."""

from typing import ClassVar

from django.utils.translation import gettext as _

from fabriek.kernel.errors import Invalid, Refused
from fabriek.store.models import Revision
from fabriek.store.paths import shortened


class RepositoryGone(Refused):
    code = "not_found"
    status: ClassVar[int] = 404


def repository_gone() -> RepositoryGone:
    return RepositoryGone(
        _(
            "This was removed while files came in for it, so nothing was saved. Check the "
            "code, or send the files to another place."
        )
    )


def never_sent(path: str) -> Invalid:
    return Invalid(
        _("The bytes of “%(path)s” were not sent here. Send the file first, then save again.")
        % {"path": shortened(path)},
        code="never_sent",
    )


def not_there(path: str) -> Invalid:
    return Invalid(
        _("“%(path)s” cannot be left out, because it is not there. Check the name.")
        % {"path": shortened(path)},
        code="not_there",
    )


def no_files() -> Invalid:
    return Invalid(
        _("A revision needs at least one file. Add a file and try again."), code="no_files"
    )


def stale(parent: Revision, newest: Revision) -> Refused:
    return Refused(
        _(
            "Somebody saved revision %(newest)s while you worked on revision %(parent)s, so "
            "yours was not saved. Look at the newest one, then send your change again."
        )
        % {"newest": newest.number, "parent": parent.number},
        code="stale_parent",
    )


def dropped(revision: Revision) -> Refused:
    return Refused(
        _(
            "The files of revision %(number)s were removed by its owner; who saved it and when "
            "is kept. Use a newer revision."
        )
        % {"number": revision.number},
        code="dropped",
    )


def require_files(revision: Revision) -> Revision:
    """Give the revision back, unless its files were dropped. Raises: Refused."""
    if revision.dropped_at:
        raise dropped(revision)
    return revision


def long_message() -> Invalid:
    sentence = _("The message is longer than 300 characters. Say it shorter.")
    return Invalid(sentence, fields={"message": sentence})

"""Branches and tags, begun and forgotten."""

import re
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.hub import doors, queries, refusals
from fabriek.kernel import journal, text
from fabriek.kernel.errors import Invalid, Refused
from fabriek.people.models import Person
from fabriek.registry import for_everybody
from fabriek.store import held, retention
from fabriek.store.actions import MESSAGE_CHARACTERS
from fabriek.store.models import MAIN, Ref, Repository

REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,198}")
NO_REF = re.compile(r"\.\.|//|/$|\.$|/\.|\.lock(/|$)|^refs/")

journal.describe(
    {
        "hub.branch": gettext_lazy("made a branch"),
        "hub.delete_branch": gettext_lazy("removed a branch"),
        "hub.tag": gettext_lazy("gave a revision a name"),
        "hub.delete_tag": gettext_lazy("took the name of a revision away"),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tag:
    """A name for the revision that `at` leads to."""

    name: str
    at: str
    message: str = ""


@transaction.atomic
def create_branch(repository: Repository, name: str, *, start: str, by: Person) -> None:
    """Begin a branch where `start` leads. Raises: Invalid, Refused, RevisionNotFound."""
    doors.require_write(by, repository)
    point = queries.kept(queries.point(repository, start))
    _require_new(repository, name)
    for_everybody.require_unsaid(repository, name)
    if point.revision is None:
        raise refusals.nothing_to_name()
    retention.hold([point.revision])
    Ref.objects.create(
        repository=repository, kind=Ref.Kind.BRANCH, name=name, revision=point.revision
    )
    journal.record("hub.branch", repository, by=by, name=name)


@transaction.atomic
def delete_branch(repository: Repository, name: str, *, by: Person) -> None:
    """Forget a branch; its revisions stay, under their 40 signs.

    Raises: RevisionNotFound, RepositoryGone.
    """
    doors.require_write(by, repository)
    if name == MAIN:
        raise Refused(_("The branch “main” cannot be removed."), code="main")
    held.alone(repository)  # who saves to it comes first
    _forget(repository, Ref.Kind.BRANCH, name)
    # Else a later branch of this name would begin with what was in the old one.
    repository.revisions.filter(branch=name).update(branch="")
    journal.record("hub.delete_branch", repository, by=by, name=name)


@transaction.atomic
def create_tag(repository: Repository, tag: Tag, *, by: Person) -> None:
    """Name a revision. Raises: Invalid, Refused, RevisionNotFound."""
    doors.require_write(by, repository)
    point = queries.kept(queries.point(repository, tag.at))
    _require_new(repository, tag.name)
    message = message_of(tag.message, "")
    for_everybody.require_unsaid(repository, tag.name, message)
    if point.revision is None:
        raise refusals.nothing_to_name()
    retention.hold([point.revision])
    Ref.objects.create(
        repository=repository,
        kind=Ref.Kind.TAG,
        name=tag.name,
        revision=point.revision,
        message=message,
    )
    journal.record("hub.tag", repository, by=by, name=tag.name)


@transaction.atomic
def delete_tag(repository: Repository, name: str, *, by: Person) -> None:
    doors.require_write(by, repository)
    _forget(repository, Ref.Kind.TAG, name)
    journal.record("hub.delete_tag", repository, by=by, name=name)


def message_of(summary: str, description: str) -> str:
    """Keep what a program says of its change, as far as there is room."""
    first = "".join(sign for sign in text.line(summary) if sign.isprintable())
    rest = "".join(
        sign for sign in text.prose(description) if sign.isprintable() or sign == "\n"
    )
    whole = f"{first}\n\n{rest}" if rest else first
    return whole if len(whole) <= MESSAGE_CHARACTERS else f"{whole[: MESSAGE_CHARACTERS - 1]}…"


def _require_new(repository: Repository, name: str) -> None:
    if (
        not REF.fullmatch(name)
        or NO_REF.search(name)
        or name == MAIN
        or queries.COMMIT_ID.fullmatch(name)
        or name.count("/") >= queries.REF_WORDS_MAX
    ):
        if name == MAIN:
            raise _known(name)
        raise Invalid(
            _(
                "This name will not do for a branch or a tag. Use letters, digits, dots, "
                "hyphens and underscores, as in try/2026-11, with at most five times a /."
            ),
            code="ref_name",
        )
    Repository.objects.select_for_update().get(pk=repository.pk)
    parts = name.split("/")
    above = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    refs = repository.refs
    # An address could not tell `feature` from `feature/short`, nor a branch from a tag.
    if (
        refs.filter(name__in=above).exists()
        or refs.filter(name__startswith=f"{name}/").exists()
    ):
        raise _known(name)


def _known(name: str) -> Refused:
    return Refused(
        _("There is a branch or a tag “%(name)s” already, or one that begins so.")
        % {"name": name[:80]},
        code="known_ref",
    )


def _forget(repository: Repository, kind: str, name: str) -> None:
    refs = repository.refs.filter(kind=kind, name=name) if queries.is_sane(name) else None
    if refs is None or not refs.delete()[0]:
        raise refusals.revision_not_found(name)

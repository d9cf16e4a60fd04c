"""What a branch or a tag names, and the revisions that led to it; those of others stay out."""

from dataclasses import dataclass

from django.db.models import Max, QuerySet
from django.utils.translation import gettext as _

from fabriek.kernel import text
from fabriek.kernel.errors import Refused
from fabriek.store import queries as store
from fabriek.store.models import MAIN, Ref, Repository, Revision

NAMES_TOLD = 10


class NoSuchBranch(Refused):
    code = "branch"
    status = 404


@dataclass(frozen=True, kw_only=True, slots=True)
class Branch:
    """A branch beside `main`, and the revision that it leads to."""

    name: str
    newest: Revision


def leading_to(repository: Repository, name: str = MAIN) -> "QuerySet[Revision]":
    """Give the revisions that led to a branch or a tag, the newest first.

    What is begun from `main` was its history too. Raises: NoSuchBranch.
    """
    if name == MAIN:
        return repository.revisions.filter(branch=MAIN)
    return repository.revisions.filter(pk__in=_line(repository, _named(repository, name)))


def beside_main(repository: Repository) -> list[Branch]:
    """Name the branches that a client of the hub made, by name."""
    refs = repository.refs.filter(kind=Ref.Kind.BRANCH).select_related("revision")
    began = {ref.name: ref.revision for ref in refs.order_by("name")}
    if not began:
        return []
    saved = repository.revisions.filter(branch__in=began).order_by()
    last = dict(saved.values_list("branch").annotate(last=Max("number")))
    newest = {one.branch: one for one in saved.filter(number__in=last.values())}
    return [Branch(name=name, newest=newest.get(name, at)) for name, at in began.items()]


def _named(repository: Repository, name: str) -> Revision:
    refs = repository.refs.select_related("revision").order_by("name")
    ref = refs.filter(name=text.storable(name)).first()
    if ref is None:
        others = refs.values_list("name", flat=True)[:NAMES_TOLD]
        raise NoSuchBranch(
            _("This dataset has no branch or tag “%(name)s”. It has: %(names)s.")
            % {"name": name[:80], "names": ", ".join((MAIN, *others))}
        )
    newest = store.latest(repository, branch=name) if ref.kind == Ref.Kind.BRANCH else None
    return newest or ref.revision


def _line(repository: Repository, last: Revision) -> list[int]:
    parents = dict(repository.revisions.values_list("pk", "parent"))
    keys: list[int] = []
    key: int | None = last.pk
    while key is not None:
        keys.append(key)
        key = parents.get(key)
    return keys

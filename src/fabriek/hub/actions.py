"""Repositories made, renamed and removed, and their branches and tags."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.cases.models import Case
from fabriek.cases.states import CaseState
from fabriek.datasets import actions as datasets
from fabriek.datasets.models import Licence
from fabriek.hub import doors, queries, refusals, removal
from fabriek.kernel import journal, text
from fabriek.kernel.errors import Invalid, NotAllowed, Refused
from fabriek.people.models import Person
from fabriek.registry import for_everybody, open_names, pushed
from fabriek.store import retention
from fabriek.store.actions import MESSAGE_CHARACTERS, NAME
from fabriek.store.models import MAIN, Ref, Repository

REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,198}")
CASES_SHOWN = 20
NO_REF = re.compile(r"\.\.|//|/$|\.$|/\.|\.lock(/|$)|^refs/")

journal.describe(
    {
        "hub.rename": gettext_lazy("gave another name for programs"),
        "hub.delete": gettext_lazy("removed what nothing named"),
        "hub.branch": gettext_lazy("made a branch"),
        "hub.delete_branch": gettext_lazy("removed a branch"),
        "hub.tag": gettext_lazy("gave a revision a name"),
        "hub.delete_tag": gettext_lazy("took the name of a revision away"),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    repository: Repository
    is_new: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Tag:
    """A name for the revision that `at` leads to."""

    name: str
    at: str
    message: str = ""


# --- repositories ------------------------------------------------------------------------
@transaction.atomic
def create(kind: str, *, namespace: str, name: str, by: Person) -> Made:
    """Make a dataset or a place for a model in an open case; find it when it is there.

    Raises:
        NotAllowed: there is no such open case in which `by` takes part.
        Invalid: the name will not do.
    """
    case = _case_of(namespace, by)
    if not NAME.fullmatch(name):
        raise Invalid(
            _(
                "A name has letters, digits, dots, hyphens and underscores, at most 80, and "
                "begins and ends with a letter or a digit."
            ),
            code="name",
        )
    # Two at once wait for each other here: names are looked at, then given.
    Case.objects.select_for_update().get(pk=case.pk)
    same = Repository.objects.filter(
        kind=kind, namespace__iexact=case.code, name__iexact=name
    ).select_related("case")
    if found := same.first():
        return Made(repository=found, is_new=False)
    if kind == Repository.Kind.MODEL:
        return Made(repository=pushed.make_place(case, name=name, by=by), is_new=True)
    dataset = datasets.create(
        case,
        by=by,
        title=name,
        # Nobody described it yet: a README tells that later, and else the record asks for it.
        description="",
        licence=Licence.CONSORTIUM,
        # Nor said whether it holds personal data, so it counts as if it does.
        has_personal_data=True,
    )
    return Made(repository=dataset.repository, is_new=True)


@transaction.atomic
def rename(repository: Repository, wanted: str, *, by: Person) -> None:
    """Give another name in the same case; the old one leads nowhere from then on.

    Raises: NotAllowed, WrongState, Invalid, Refused.
    """
    doors.require_write(by, repository)
    namespace, _slash, name = wanted.partition("/")
    if namespace.lower() != repository.namespace.lower():
        raise Refused(
            _("Data stays in its case: give a name that begins with %(case)s/.")
            % {"case": repository.namespace},
            code="other_case",
        )
    if not by.leads(repository.organisation_id):
        raise NotAllowed(
            _(
                "Only a lead of the organisation whose data it is may give it another name. "
                "Ask one."
            )
        )
    if not NAME.fullmatch(name):
        raise Invalid(_("This name will not do: use letters, digits, dots and hyphens."))
    open_names.require_own(repository, name)
    Case.objects.select_for_update(of=("self",)).filter(repositories=repository.pk).first()
    # It may be opened to everybody meanwhile.
    Repository.objects.select_for_update().get(pk=repository.pk)
    for_everybody.require_unsaid(repository, name)
    others = Repository.objects.exclude(pk=repository.pk)
    if others.filter(
        kind=repository.kind, namespace__iexact=namespace, name__iexact=name
    ).exists():
        raise Refused(_("Another one has this name. Choose another."), code="known_name")
    before = repository.name
    Repository.objects.filter(pk=repository.pk).update(name=name)
    journal.record("hub.rename", repository, by=by, before=before, name=name)


@transaction.atomic
def delete(repository: Repository, *, by: Person) -> None:
    """Remove a repository that nothing names: no run, model, agreement or the like.

    Raises: NotAllowed, WrongState; Refused, when something names it.
    """
    doors.require_write(by, repository)
    if not by.leads(repository.organisation_id):
        raise NotAllowed(
            _("Only a lead of the organisation whose data it is may remove it. Ask one.")
        )
    removal.remove(repository)
    journal.record("hub.delete", repository.case or repository, by=by, name=repository.repo_id)


def require_settings(repository: Repository, asked: Mapping[str, object]) -> None:
    """Take settings that say what is so already.

    Raises: Refused, with who decides about it.
    """
    public = asked.get("visibility", "private") != "private" or asked.get("private") is False
    if public and not repository.is_open:
        raise Refused(
            _(
                "Data of a case stays private. To let others use it, make an agreement on the "
                "page of the dataset."
            ),
            code="stays_private",
        )
    if asked.get("gated"):
        raise Refused(
            _(
                "Who may use it is said by agreements, which people ask for and sign on the "
                "page of the dataset; there is no other gate."
            ),
            code="no_gates",
        )


# --- branches and tags -------------------------------------------------------------------
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
    """Forget a branch; its revisions stay, under their 40 signs. Raises: RevisionNotFound."""
    doors.require_write(by, repository)
    if name == MAIN:
        raise Refused(_("The branch “main” cannot be removed."), code="main")
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


# --- helpers -----------------------------------------------------------------------------
def _case_of(namespace: str, person: Person) -> Case:
    """Find the open case that is meant; without a name the only one."""
    open_cases = Case.objects.taken_part_in_by(person).filter(state=CaseState.OPEN)
    open_cases = open_cases.select_related("organisation").order_by("pk")
    if namespace and queries.is_sane(namespace):
        meant = open_cases.filter(code__iexact=namespace).first()
        if meant:
            return meant
    ours = list(open_cases[:CASES_SHOWN])
    if not namespace and len(ours) == 1:
        return ours[0]
    names = ", ".join(case.code for case in ours)
    if not ours:
        raise NotAllowed(
            _("You take part in no open case, so there is no place for this yet."),
            code="no_case",
        )
    raise NotAllowed(
        _("Name the case before the name, as in %(example)s. Yours are: %(cases)s.")
        % {"example": f"{ours[0].code}/questions", "cases": names},
        code="which_case",
    )


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

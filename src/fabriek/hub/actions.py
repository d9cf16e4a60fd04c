"""Repositories made, renamed and removed."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.cases.models import Case
from fabriek.cases.states import CaseState
from fabriek.datasets import actions as datasets
from fabriek.datasets.models import Licence
from fabriek.hub import doors, queries, removal
from fabriek.kernel import journal
from fabriek.kernel.errors import Invalid, NotAllowed, Refused
from fabriek.people.models import Person
from fabriek.registry import for_everybody, open_names, pushed
from fabriek.store.actions import NAME
from fabriek.store.models import Repository

CASES_SHOWN = 20

journal.describe(
    {
        "hub.rename": gettext_lazy("gave another name for programs"),
        "hub.delete": gettext_lazy("removed what nothing named"),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    repository: Repository
    is_new: bool


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

"""Who may find a dataset, change what is told of it, and decide who finds it."""

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from fabriek.agreements import policy
from fabriek.cases.states import CaseState
from fabriek.datasets import rules as datasets
from fabriek.datasets.models import Dataset
from fabriek.kernel.errors import NotAllowed
from fabriek.kernel.steps import NextStep
from fabriek.people.models import Person
from fabriek.store.models import Repository

may_edit = datasets.may_push


def found_by(person: Person | None) -> Q:
    """Name the repositories that this person, or somebody without an account, may find.

    To find is to read the record; names and bytes of files are another question.
    """
    if person is None:
        return Q(listed_for=Repository.Listed.EVERYBODY)
    return Q(pk__in=policy.visible_to(person).values("pk"))


def may_list(person: Person, dataset: Dataset) -> bool:
    """Only a lead of the owner: who finds it is theirs to say, not the consortium's."""
    return person.leads(dataset.repository.organisation_id)


def require_edit(person: Person, dataset: Dataset) -> None:
    datasets.require_part(person, dataset.case)
    datasets.require_open(dataset.case)


def require_list(person: Person, dataset: Dataset) -> None:
    """Refuse who is of the consortium but may not decide; others never come this far."""
    datasets.require_part(person, dataset.case)
    if not may_list(person, dataset):
        raise NotAllowed(
            _(
                "Only a lead of the organisation that owns this dataset decides who may find "
                "it. Ask one of its leads."
            )
        )


def require_bind(person: Person, dataset: Dataset) -> None:
    """Refuse who is of the consortium but does not speak for the owner."""
    if not may_list(person, dataset):
        raise NotAllowed(
            _(
                "Only a lead of the organisation that owns this dataset says what it usually "
                "agrees to. Leave those fields as they are, or ask one of its leads."
            )
        )


def knows_files(person: Person | None, repository: Repository) -> bool:
    """Tell whether this reader may know the names of the files; nothing is taken yet."""
    wish = policy.Wish(moment=policy.Moment.READ, repository=repository, person=person)
    return policy.would(wish).allowed


def next_steps(person: Person, dataset: Dataset, *, is_listed: bool) -> list[NextStep]:
    """Name what this person can do with the record now."""
    if dataset.case.state != CaseState.OPEN or not may_edit(person, dataset):
        return []
    page = reverse("catalogue:record", args=[dataset.code])
    fill = NextStep(
        name="record",
        label=_("Fill in the record"),
        sentence=_("Fill in what is missing, so that others can find and judge it."),
        url=f"{page}#form",
        method="get",
    )
    if is_listed or not may_list(person, dataset):
        return [fill]
    listing = NextStep(
        name="listed",
        label=_("Let others find it"),
        sentence=_("Decide who may find this dataset in the catalogue."),
        url=f"{page}#listed",
        method="get",
    )
    return [fill, listing]


def ask_url(code: str) -> str:
    """Give where somebody asks for data of others."""
    return f"{reverse('agreements:ask')}?data={code}"

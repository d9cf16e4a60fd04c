"""Who may do what with a dataset: the consortium everything, others what is agreed."""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from fabriek.agreements import policy
from fabriek.cases.models import Case
from fabriek.cases.rules import takes_part
from fabriek.cases.states import CaseState
from fabriek.datasets.models import Dataset
from fabriek.kernel.errors import NotAllowed, WrongState
from fabriek.kernel.steps import NextStep
from fabriek.people.models import Person

may_create = takes_part
# What a decision to read says of what is one's own, also where it was made of other data.
OUR_OWN = frozenset({"own", "rights_kept"})


def may_push(person: Person, dataset: Dataset) -> bool:
    return takes_part(person, dataset.case)


may_edit = may_push


def require_part(person: Person, case: Case) -> None:
    if not takes_part(person, case):
        raise NotAllowed(
            _(
                "Only people of the organisations in this case may use its data. Ask a lead of "
                "the case to invite your organisation as a partner."
            )
        )


def may_license(person: Person, dataset: Dataset) -> bool:
    """Who adds data says what may be done with it; to change that binds the owner."""
    return person.leads(dataset.repository.organisation_id)


def require_license(person: Person, dataset: Dataset) -> None:
    if not may_license(person, dataset):
        raise NotAllowed(
            _(
                "Only a lead of the organisation that owns this dataset changes its licence. "
                "Leave it as it is, or ask one of its leads."
            )
        )


def reads(person: Person, dataset: Dataset) -> policy.Decision:
    """Say whether this person gets to see what is in it, for a page.

    What is not their own is written down, also the no.
    """
    wish = _read(person, dataset)
    decision = policy.would(wish)
    return decision if decision.code in {"own", "open"} else policy.decide(wish)


def require_read(person: Person, dataset: Dataset, *, revision: int | None = None) -> None:
    """Let somebody have names and bytes of files.

    Raises: NotAllowed, with the reason in words.
    """
    policy.require(_read(person, dataset, revision=revision))


def _read(person: Person, dataset: Dataset, *, revision: int | None = None) -> policy.Wish:
    return policy.Wish(
        moment=policy.Moment.READ,
        repository=dataset.repository,
        person=person,
        revision=revision,
    )


def require_open(case: Case) -> None:
    """Look at the case as it is now, not as it was read."""
    if not Case.objects.filter(pk=case.pk, state=CaseState.OPEN).exists():
        raise WrongState(
            _(
                "Data can be added and changed while the case is open, and %(case)s is not. "
                "Look at the page of the case to see where it stands."
            )
            % {"case": case}
        )


def next_steps(person: Person, dataset: Dataset) -> list[NextStep]:
    """Name what this person can do with the dataset now."""
    if dataset.case.state != CaseState.OPEN or not may_push(person, dataset):
        return []
    push = NextStep(
        name="push",
        label=_("Add files"),
        sentence=_("Add files: from your computer here, or with “fabriek data push”."),
        url=f"{dataset.get_absolute_url()}#add",
        method="get",
    )
    edit = NextStep(
        name="edit",
        label=_("Change the description"),
        sentence=_("Change the description, the licence or the mark for personal data."),
        url=reverse("datasets:edit", args=[dataset.code]),
        method="get",
    )
    return [push, edit]

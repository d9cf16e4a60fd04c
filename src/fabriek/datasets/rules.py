"""Who may do what with a dataset: the consortium everything, others what is agreed."""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from fabriek.agreements import policy
from fabriek.cases.models import Case
from fabriek.cases.rules import takes_part
from fabriek.cases.states import CaseState
from fabriek.datasets.models import OPEN_LICENCES, Dataset
from fabriek.kernel.errors import NotAllowed, WrongState
from fabriek.kernel.steps import NextStep
from fabriek.people.models import Person
from fabriek.store.models import Repository
from fabriek.store.refusals import repository_gone

# What a decision to read says of what is one's own, also where it was made of other data.
OUR_OWN = frozenset({"own", "rights_kept"})


def may_push(person: Person, dataset: Dataset) -> bool:
    return takes_part(person, dataset.case)


def require_part(person: Person, case: Case) -> None:
    if not takes_part(person, case):
        raise NotAllowed(
            _(
                "This is for people of the organisations in this case only. Ask a lead of the "
                "case to invite your organisation as a partner."
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


def may_save(person: Person, repository: Repository) -> bool:
    return not repository.is_open or person.leads(repository.organisation_id)


def require_save(person: Person, repository: Repository) -> None:
    """Let only leads of its owner save files in what is open: everybody has them at once.

    Looked up as it is now, and once more after saving: somebody may open it this very moment.

    Raises: NotAllowed; RepositoryGone, where it was removed meanwhile.
    """
    now = Repository.objects.filter(pk=repository.pk).first()
    if now is None:
        raise repository_gone()
    if not may_save(person, now):
        raise NotAllowed(
            _(
                "This dataset is open to everybody, so what is saved in it is public at once. "
                "Only a lead of the organisation that owns it saves files here. Ask one of "
                "them, or save your files in another dataset."
            ),
            code="open_to_all",
        )


def require_there(dataset: Dataset) -> None:
    """See that nobody removed it, under the lock of its repository that they wait for.

    Where somebody read it the repository itself stays, without a name, and nobody would find
    the files there. Raises: RepositoryGone.
    """
    if not Dataset.objects.filter(pk=dataset.pk).exists():
        raise repository_gone()


def require_not_open(dataset: Dataset) -> None:
    """Refuse to call open data personal without a reason; needs a transaction.

    Raises: WrongState.
    """
    held = Repository.objects.select_for_update().get(pk=dataset.repository_id)
    if held.is_open:
        raise WrongState(
            _(
                "This dataset is open to everybody, and that asks for a reason where there is "
                "personal data in it. Let a lead of its owner close it first, then say that it "
                "has personal data, and open it again with the reason."
            ),
            code="open_to_all",
        )


def require_fit(dataset: Dataset, licence: str) -> None:
    """Refuse a licence for a few on what everybody reads; needs a transaction.

    Raises: WrongState.
    """
    # Looked at under its lock: somebody may be opening it this very moment.
    held = Repository.objects.select_for_update().get(pk=dataset.repository_id)
    if held.is_open and licence not in OPEN_LICENCES:
        raise WrongState(
            _(
                "This dataset is open to everybody, and this licence is not. Choose one of "
                "%(licences)s, or close the dataset first."
            )
            % {"licences": ", ".join(OPEN_LICENCES)}
        )


def reads(person: Person, dataset: Dataset) -> policy.Decision:
    """Say whether this person gets to see what is in it, for a page.

    What is not their own is written down, also the no.
    """
    wish = _read(person, dataset)
    decision = policy.would(wish)
    return decision if decision.code in {"own", "open"} else policy.decide(wish)


def is_ours(person: Person, dataset: Dataset, reading: policy.Decision) -> bool:
    """Tell whether it is of this person's case; what they may read was decided before.

    What their case made of data of others is theirs, and read as that data is.
    """
    return reading.code in OUR_OWN or may_push(person, dataset)


def require_read(person: Person, dataset: Dataset, *, revision: int | None = None) -> None:
    """Let somebody have names and bytes of files.

    Raises: NotAllowed, with the reason in words.
    """
    policy.require(_read(person, dataset, revision=revision))


def still(person: Person) -> Person:
    """Read somebody anew, halfway through work of minutes or hours. Raises: NotAllowed."""
    found = Person.objects.filter(pk=person.pk, is_active=True).first()
    if found is None:
        raise NotAllowed(_("This account was closed."))
    return found


def require_still_read(person: Person, dataset: Dataset, *, revision: int) -> None:
    """Ask again, halfway, of what stands in the database by now.

    Raises: NotAllowed, with the reason in words; RepositoryGone.
    """
    who = still(person)
    now = Dataset.objects.select_related("repository__case").filter(pk=dataset.pk).first()
    if now is None:
        raise repository_gone()
    require_read(who, now, revision=revision)


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
    steps = []
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
    if may_save(person, dataset.repository):
        steps.append(push)
    return [*steps, edit]

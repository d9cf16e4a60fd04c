"""Old revisions of a dataset go when its owner says so, and nothing holds them."""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from fabriek.agreements import policy
from fabriek.agreements.models import Agreement
from fabriek.agreements.states import OVER
from fabriek.datasets.models import Dataset
from fabriek.kernel.errors import NotAllowed
from fabriek.people.models import Person
from fabriek.store import retention
from fabriek.store.models import Repository
from fabriek.store.retention import Plan, Wish


def may_drop(person: Person, dataset: Dataset) -> bool:
    """Leads of the organisation that owns the data, whatever became of the case."""
    return person.leads(dataset.case.organisation_id)


def plan(dataset: Dataset, wish: Wish, *, by: Person) -> Plan:
    """Say what would go and why the rest stays. Raises: NotAllowed, Invalid."""
    _require(by, dataset)
    return _as_told(overview(dataset, wish), dataset, by)


def overview(dataset: Dataset, wish: Wish) -> Plan:
    """Say the same to who runs the factory: numbers and sizes, nothing of what is in it."""
    now = timezone.now()
    return retention.plan(dataset.repository, wish, now=now, held_by=held_by(dataset))


@transaction.atomic
def drop(dataset: Dataset, wish: Wish, *, by: Person, why: str = "") -> Plan:
    """Drop what nothing holds; give what was done. Raises: NotAllowed, Invalid."""
    _require(by, dataset)
    # Whoever begins an agreement on it waits for this, or we for them.
    Repository.objects.select_for_update().get(pk=dataset.repository_id)
    done = retention.drop(dataset.repository, wish, by=by, why=why, held_by=held_by(dataset))
    return _as_told(done, dataset, by)


def held_by(dataset: Dataset) -> list[str]:
    """Name the agreements that others rely on, or are about to.

    An agreement is on the dataset and not on one revision, so it holds them all for as long as
    it lives: what the others looked at when they signed must not go.
    """
    living = Agreement.objects.filter(repository=dataset.repository).exclude(state__in=OVER)
    return list(living.order_by("code").values_list("code", flat=True))


def _as_told(plan: Plan, dataset: Dataset, person: Person) -> Plan:
    """Leave out what people wrote of revisions that this person may not read.

    Who leads the case decides what goes, also of what was made of data lent to others of it.
    """
    wish = policy.Wish(moment=policy.Moment.READ, repository=dataset.repository, person=person)
    if not policy.would(wish).allowed:
        for line in (*plan.go, *plan.stay):
            line.revision.message = ""
    return plan


def _require(person: Person, dataset: Dataset) -> None:
    if not may_drop(person, dataset):
        raise NotAllowed(
            _(
                "Only a lead of the organisation that owns this data may remove revisions of "
                "it. Ask one of them."
            )
        )

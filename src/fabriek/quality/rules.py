"""Who may look at data, and who decides what is done with what was found."""

from django.utils.translation import gettext_lazy as _

from fabriek.cases.rules import takes_part
from fabriek.datasets.models import Dataset
from fabriek.datasets.rules import require_open, require_part, require_read
from fabriek.kernel.errors import NotAllowed
from fabriek.people.models import Person


def may_decide(person: Person, dataset: Dataset) -> bool:
    """Let a lead of the case decide: its organisation answers for the data."""
    return person.leads(dataset.case.organisation_id)


def may_look(person: Person, dataset: Dataset) -> bool:
    """Let people of the case ask for looks; who was lent the data sees what came of them."""
    return takes_part(person, dataset.case)


def require_may_look(person: Person, dataset: Dataset) -> None:
    """Refuse who may not read it: what is found names columns, and words that come back.

    A dataset of the case may hold data of others, which may not be read so.
    """
    require_part(person, dataset.case)
    require_read(person, dataset)


def require_may_decide(person: Person, dataset: Dataset) -> None:
    require_part(person, dataset.case)
    require_open(dataset.case)
    if not may_decide(person, dataset):
        raise NotAllowed(
            _(
                "A lead of the organisation that leads the case decides about personal data. "
                "Ask one of them to look at this page."
            )
        )

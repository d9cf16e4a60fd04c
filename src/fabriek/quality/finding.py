"""What an address names, to who may look into it."""

from fabriek.datasets import finding
from fabriek.datasets.models import Dataset
from fabriek.people.models import Person
from fabriek.quality import rules


def dataset(code: str, person: Person) -> Dataset:
    """Find a dataset that this person may look into. Raises: Http404, NotAllowed."""
    found = finding.dataset(code, person)
    rules.require_may_look(person, found)
    return found

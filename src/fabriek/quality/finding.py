"""What an address names, to who may look into it."""

from django.http import Http404
from django.shortcuts import get_object_or_404

from fabriek.datasets import finding
from fabriek.datasets.models import Dataset
from fabriek.datasets.rules import require_read
from fabriek.people.models import Person
from fabriek.quality import rules
from fabriek.store.models import MAIN, Revision


def dataset(code: str, person: Person) -> Dataset:
    """Find a dataset that this person may look into. Raises: Http404, NotAllowed."""
    found = finding.dataset(code, person)
    rules.require_may_look(person, found)
    return found


def readable(code: str, person: Person) -> Dataset:
    """Find a dataset whose rows this person may read, of the case or under an agreement.

    What a look found is no more than the rows themselves tell. Raises: Http404, NotAllowed.
    """
    found = finding.dataset(code, person)
    require_read(person, found)
    return found


def revision_or_none(dataset: Dataset, number: int | None) -> Revision | None:
    """Find a revision by its number, or the newest one; nothing where there is none yet.

    Raises: Http404, no revision has this number.
    """
    rows = dataset.repository.revisions.select_related("repository")
    if number is not None:
        return get_object_or_404(rows, number=number)
    return rows.filter(branch=MAIN).first()


def revision(dataset: Dataset, number: int | None) -> Revision:
    """Find a revision as `revision_or_none` does. Raises: Http404, also where there is none."""
    if found := revision_or_none(dataset, number):
        return found
    raise Http404

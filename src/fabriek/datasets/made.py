"""Save what a run made as a revision of a dataset, bound by the terms of what it was made of.

Its rows are not read through, as those that people send are: a recipe wrote them, each a whole
object on a line of its own, and there may be many millions.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from fabriek.agreements import descent, inheritance
from fabriek.datasets import rules
from fabriek.datasets.models import Dataset
from fabriek.kernel.errors import WrongState
from fabriek.people.models import Person
from fabriek.store import actions as store
from fabriek.store.models import Blob, Repository, Revision


@dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """Files that arrived, and the SHA-256 of what is packed in them, if that matters."""

    files: Mapping[str, Blob]
    inside: frozenset[str] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Descent:
    """What it was made of, by their keys: agreements, and repositories."""

    agreements: Collection[int]
    sources: Collection[int]


def ready(dataset: Dataset, files: Mapping[str, Blob], *, by: Person) -> Ready:
    """Look into the files before the transaction that saves them: others wait for that one.

    Raises: NotAllowed, WrongState: `by` may not add to this dataset, or the case is not open.
    """
    rules.require_part(by, dataset.case)
    rules.require_open(dataset.case)
    sent = store.named(files)
    inside = descent.looked_into(dataset.repository, sent, by=by)
    return Ready(files=files, inside=inside)


def save(
    dataset: Dataset, ready: Ready, *, message: str, by: Person, made_of: Descent
) -> Revision:
    """Save them, inside the caller's transaction: nobody reads them before they are bound.

    Raises:
        WrongState: the case is not open, or the dataset is open to everybody.
        Invalid, Refused: as `store.save`.
    """
    rules.require_open(dataset.case)
    require_closed(dataset.repository)
    saved = store.commit(dataset.repository, ready.files, message=message, by=by)
    inheritance.pass_on(
        dataset.repository, agreements=made_of.agreements, sources=made_of.sources
    )
    descent.pass_terms_on(saved, store.named(ready.files), by=by, inside=ready.inside)
    return saved


def require_closed(repository: Repository) -> None:
    """Refuse to save by itself what everybody would have at once. Raises: WrongState."""
    # Looked at under its lock: somebody may be opening it this very moment.
    if Repository.objects.select_for_update().get(pk=repository.pk).is_open:
        raise WrongState("This dataset is open to everybody.", code="open_to_all")

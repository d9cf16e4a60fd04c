"""What an address names: a dataset, a revision of it, a file; told to who may know of it only.

To who may not read, a revision that is there and one that is not answer alike: how many there
are tells how somebody else works.
"""

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404

from fabriek.datasets import queries, rules
from fabriek.datasets.models import Dataset
from fabriek.kernel.numbers import LARGEST
from fabriek.people.models import Person
from fabriek.store.models import File, Revision
from fabriek.store.refusals import require_files


def dataset(code: str, person: Person) -> Dataset:
    """Find what this person may know of, with its `revision`, the newest. Raises: Http404."""
    return get_object_or_404(queries.shown(person), code=_whole(code))


def to_fill(code: str, person: Person) -> Dataset:
    """Find what this person may add to; what is of others is found as by `dataset`.

    A push calls by the dozen, and what agreements let see takes Django longer to ask than most
    of what is asked then. Raises: Http404.
    """
    ours = Dataset.objects.visible_to(person).filter(code=_whole(code))
    rows = ours.select_related(
        "case__organisation", "repository__case", "repository__organisation"
    )
    return rows.first() or dataset(code, person)


def revision(found: Dataset, number: int | None = None) -> Revision:
    """Find a revision for who may read it, or the newest. Raises: Http404."""
    if (there := _there(found, number)) is None:
        raise Http404
    return there


def readable(found: Dataset, number: int | None = None, *, by: Person) -> Revision:
    """Find a revision with its files, once it is decided that this person may read it.

    A number that names none is not written down: else a stranger fills the owner's log.

    Raises: NotAllowed, Http404, Refused (its files were dropped).
    """
    there = _there(found, number)
    rules.require_read(by, found, revision=there.number if there else None)
    if there is None:
        raise Http404
    return require_files(there)


def file(chosen: Revision, path: str) -> File:
    """Find a file of a revision that may be read. Raises: Http404."""
    files = chosen.files.select_related("blob", "revision")
    return get_object_or_404(files, path=_whole(path))


def _there(found: Dataset, number: int | None) -> Revision | None:
    if number is None:
        number = found.revision  # type: ignore[attr-defined]
    if not number or not 0 < number <= LARGEST:
        return None
    return _rows(found).filter(number=number).first()


def _rows(found: Dataset) -> "QuerySet[Revision]":
    return found.repository.revisions.select_related("author", "parent")


def _whole(name: str) -> str:
    """Refuse what no database would look for. Raises: Http404."""
    if "\x00" in name:
        raise Http404
    return name

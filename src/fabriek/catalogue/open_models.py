"""Open models in the catalogue: told of by the registry, found beside datasets by everybody.

Only what is open is told of, to people with and without an account alike. Of a closed model
there is no record, and what is read here is held against the model's own mark each time.
"""

from dataclasses import dataclass, fields
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from fabriek.catalogue import index, queries
from fabriek.catalogue.model_records import ModelRecord, ModelStem
from fabriek.catalogue.queries import Asked
from fabriek.catalogue.vocabulary import Access
from fabriek.store.models import Repository

# Models have none of these, so that nothing is found by them.
OF_DATASETS = ("theme", "language", "personal")


@dataclass(frozen=True, kw_only=True, slots=True)
class ToldModel:
    """`words`: more text that it is found by, and that is not shown."""

    title: str
    licence: str
    revision: int
    text: str = ""
    words: str = ""


@transaction.atomic
def tell(repository: Repository, told: ToldModel) -> None:
    """Write down what is told of an open model; of one that was closed by now, nothing."""
    held = Repository.objects.select_for_update(of=("self",)).select_related("organisation")
    there = held.get(pk=repository.pk)
    if not there.is_open:
        return
    shown = {one.name: getattr(told, one.name) for one in fields(told) if one.name != "words"}
    record, _new = ModelRecord.objects.update_or_create(
        repository=there, defaults=shown | {"changed_at": timezone.now()}
    )
    texts = [
        (told.title, index.TITLE),
        (there.code or "", index.TITLE),
        (told.licence, index.AROUND),
        (there.organisation.name, index.AROUND),
        (f"{told.text} {told.words}", index.TEXT),
    ]
    index.replace(ModelStem, record, texts)


def forget(repository: Repository) -> None:
    ModelRecord.objects.filter(repository=repository).delete()


def shown() -> QuerySet[ModelRecord]:
    """Give the records of what is open now."""
    is_open = Repository.objects.filter(kind=Repository.Kind.MODEL, is_open=True)
    rows = ModelRecord.objects.filter(repository__in=is_open.values("pk"))
    return rows.select_related("repository__organisation")


def search(asked: Asked) -> QuerySet[Any, int]:
    """Find the ids of records, the best first; without words the newest change first."""
    rows = shown().select_related(None)
    if any(getattr(asked, name) for name in OF_DATASETS) or asked.open == "no":
        rows = rows.none()
    if asked.access not in ("", Access.PUBLIC):
        rows = rows.none()
    if asked.licence:
        rows = rows.filter(licence__iexact=asked.licence)
    if asked.owner_id is not None:
        rows = rows.filter(repository__organisation=asked.owner_id)
    return queries.ordered(ModelStem, rows, asked)


def on_page(ids: list[int]) -> list[ModelRecord]:
    """Bring along what a page shows of these, in their order; one query."""
    found = shown().in_bulk(ids)
    return [found[pk] for pk in ids if pk in found]

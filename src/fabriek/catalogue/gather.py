"""The loop's part: records follow what happened to datasets in the rooms before this one.

Those rooms cannot call this one, so it reads the journal from where it was. The mark stays
behind what may still be committed with a lower number; what is read twice does no harm.
"""

import logging
from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Max
from django.utils import timezone

from fabriek.catalogue import actions, queries
from fabriek.catalogue.models import Gathered, Record
from fabriek.datasets.models import Dataset
from fabriek.kernel.models import Entry
from fabriek.store.base import StoreDown

log = logging.getLogger(__name__)

AT_ONCE = 200
# A transaction that began earlier may commit a lower number later.
SETTLING = timedelta(seconds=15)
DATASETS = ("datasets.create", "datasets.edit")
COMMIT = "store.commit"


def tick() -> None:
    """Make records that lack, then bring those up to date whose dataset changed."""
    mark = _mark()
    _gather(queries.unrecorded().order_by("pk")[:AT_ONCE])
    entries = list(_since(mark))
    if not entries:
        return
    _touch(entries)
    if not _gather(_changed(entries)):
        return
    settled = timezone.now() - SETTLING
    old = [entry.pk for entry in entries if entry.at < settled]
    if old:
        Gathered.objects.filter(pk=mark.pk).update(entry_id=max(old))


def _mark() -> Gathered:
    """Begin at the present: what is there already lacks a record, and gets one that way."""
    found = Gathered.objects.filter(name="records").first()
    if found:
        return found
    newest = Entry.objects.aggregate(newest=Max("pk"))["newest"] or 0
    made, _new = Gathered.objects.get_or_create(name="records", defaults={"entry_id": newest})
    return made


def _since(mark: Gathered) -> Iterable[Entry]:
    verbs = [*DATASETS, COMMIT]
    return Entry.objects.filter(pk__gt=mark.entry_id, verb__in=verbs).order_by("pk")[:AT_ONCE]


def _changed(entries: list[Entry]) -> Iterable[Dataset]:
    datasets = [entry.subject_id for entry in entries if entry.verb in DATASETS]
    stores = [entry.subject_id for entry in entries if entry.verb == COMMIT]
    rows = Dataset.objects.filter(pk__in=datasets) | Dataset.objects.filter(
        repository__in=stores
    )
    return rows.distinct()


def _touch(entries: list[Entry]) -> None:
    """Let harvesters see that the description itself changed."""
    for entry in entries:
        if entry.verb in DATASETS:
            Record.objects.filter(dataset=entry.subject_id, changed_at__lt=entry.at).update(
                changed_at=entry.at
            )


def _gather(datasets: Iterable[Dataset]) -> bool:
    """Tell whether all had their turn; where the store is away, no README is passed by."""
    for dataset in datasets:
        try:
            actions.gather(dataset)
        except StoreDown as down:
            log.warning("The record of %s waits for the store. %s", dataset.code, down.code)
            return False
        except Exception:
            log.exception("The record of %s could not be brought up to date.", dataset.code)
    return True

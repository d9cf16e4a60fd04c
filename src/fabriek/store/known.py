"""Which of some small files that came in the organisation has already, whole."""

from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone

from fabriek.store import base, keys, queries, turns
from fabriek.store.models import Blob, Damage, Repository


def still_here(
    repository: Repository, contents: Mapping[str, bytes]
) -> tuple[set[str], set[str]]:
    """Find which bytes the organisation has whole, and which no longer; both known to it.

    Those are kept from the sweep for a day. Ours are read and compared: what came in is small
    and at hand, and would be thrown away for them.

    Marked and read in one transaction: a sweep that came before took the row with it, and one
    that comes after sees the mark.
    """
    owner = repository.organisation_id
    known = keys.of(owner, contents)
    if not known:
        return set(), set()
    store = queries.the_store()
    with transaction.atomic():
        turns.take(owner)
        rows = Blob.objects.filter(pk__in=list(known.values()))
        locked = list(rows.select_for_update(no_key=True).order_by("sha256"))
        rows.update(stored_at=timezone.now())
        harmed = Damage.objects.filter(blob__in=locked, repaired_at=None)
        listed = set(harmed.values_list("blob_id", flat=True))
    here = {
        blob.sha256
        for blob in locked
        if blob.pk not in listed and _is(store, blob, contents[blob.sha256])
    }
    return here, {blob.sha256 for blob in locked} - here


def _is(store: base.Store, blob: Blob, content: bytes) -> bool:
    try:
        with store.open(blob) as ours:
            return ours.read() == content
    except base.Damaged:
        return False

"""What arrived with a pack stays arrived when it leaves that pack."""

from collections.abc import Iterable

from fabriek.store.models import Arrival, Blob


def keep(leaving: Iterable[int]) -> None:
    """Give bytes a row of their own where their pack has one; before they leave it."""
    for blob in Blob.objects.filter(pk__in=leaving, pack__isnull=False):
        for pack in Arrival.objects.filter(pack_id=blob.pack_id):
            Arrival.objects.get_or_create(
                repository_id=pack.repository_id,
                blob=blob,
                defaults={"by_id": pack.by_id, "at": pack.at},
            )

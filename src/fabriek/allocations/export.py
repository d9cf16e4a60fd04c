"""Every allocation somebody may see, as rows for a spreadsheet or a program."""

from collections.abc import Iterator

from django.db.models import F

from fabriek.allocations.models import Allocation
from fabriek.people.models import Person

ROWS_AT_ONCE = 1000
COLUMNS = {
    "account": "account",
    "case": "case__code",
    "case_title": "case__title",
    "organisation": "case__organisation__name",
    "application": "decision__application__code",
    "starts_on": "starts_on",
    "ends_on": "ends_on",
    "gpu_seconds_granted": "gpu_seconds_granted",
    "gpu_seconds_held": "gpu_seconds_held",
    "gpu_seconds_spent": "gpu_seconds_spent",
    "gpu_seconds_expired": "gpu_seconds_expired",
    "gpu_seconds_left": "left_now",
}


def rows(person: Person) -> Iterator[tuple[object, ...]]:
    """Give the rows in the order of `COLUMNS`, never all in memory at once."""
    taken = F("gpu_seconds_held") + F("gpu_seconds_spent") + F("gpu_seconds_expired")
    seen = Allocation.objects.visible_to(person).annotate(
        left_now=F("gpu_seconds_granted") - taken
    )
    ordered = seen.order_by("pk").values_list(*COLUMNS.values())
    return ordered.iterator(chunk_size=ROWS_AT_ONCE)

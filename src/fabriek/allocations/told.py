"""What the engine was last told of a budget, so that it hears only what changed."""

from collections.abc import Iterable
from dataclasses import dataclass

from fabriek.allocations.models import Allocation

AT_ONCE = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """`digest`: all that was told, in short."""

    allocation_id: int
    gpu_seconds: int
    is_open: bool
    digest: str


def note(told: Iterable[Told]) -> None:
    """Remember it as it was told: what changed in the meantime is told at the next pass."""
    rows = [
        Allocation(
            pk=one.allocation_id,
            told_gpu_seconds=one.gpu_seconds,
            told_open=one.is_open,
            told_as=one.digest,
        )
        for one in told
    ]
    columns = ["told_gpu_seconds", "told_open", "told_as"]
    Allocation.objects.bulk_update(rows, columns, batch_size=AT_ONCE)


def forget(allocation_id: int) -> None:
    """Let its runs wait until it is told: the engine would take none of them before."""
    known = Allocation.objects.filter(pk=allocation_id, told_open__isnull=False)
    known.update(told_open=None)

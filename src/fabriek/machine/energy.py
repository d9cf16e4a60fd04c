"""The energy of a job where the machine measures none: an estimate, by a dated setting."""

from datetime import UTC, datetime

from django.conf import settings
from django.utils import timezone

from fabriek.engines.base import UsageRecord
from fabriek.runs.watts import watts_on

ESTIMATED = "estimated"


def of(record: UsageRecord) -> tuple[int | None, str]:
    """Give the joules of a job, and how they are known."""
    if record.energy_j is not None or not settings.GPU_WATTS:
        return record.energy_j, record.energy_method
    watts = watts_on(timezone.localdate(datetime.fromtimestamp(record.started_at, UTC)))
    if watts is None or not record.gpus:
        return None, ""
    return record.gpu_seconds * watts, ESTIMATED

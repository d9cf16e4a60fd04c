"""What one GPU draws, as the operator says: by a dated setting."""

from datetime import date
from functools import cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def watts_on(day: date) -> int | None:
    """Tell what one GPU with its part of a node draws, as the operator says of that day."""
    since = [(first, watts) for first, watts in _dated(settings.GPU_WATTS) if first <= day]
    return since[-1][1] if since else None


@cache
def _dated(said: str) -> list[tuple[date, int]]:
    """Understand `2026-01-01:700, 2027-06-01:650`."""
    try:
        pairs = [part.strip().rpartition(":") for part in said.split(",") if part.strip()]
        dated = sorted((date.fromisoformat(first), int(watts)) for first, _, watts in pairs)
    except ValueError as error:
        raise ImproperlyConfigured(
            f"FABRIEK_GPU_WATTS={said}: say a day and the watts from then on, such as "
            "2026-01-01:700, with commas between several."
        ) from error
    if any(watts < 0 for _, watts in dated):
        raise ImproperlyConfigured(f"FABRIEK_GPU_WATTS={said}: no GPU draws less than nothing.")
    return dated

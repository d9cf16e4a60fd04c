"""What the figures of reports count, in words that go with the number."""

from django.utils.translation import ngettext

APPLICATIONS = "applications"
DATASETS = "datasets"
GPU_HOURS = "gpu_hours"
MODELS = "models"
ORGANISATIONS = "organisations"
PERCENT = "%"
RUNS = "runs"
WORKING_DAYS = "working_days"
SEVERAL = 2  # what is no whole number is several, too


def said(unit: str, value: float | None) -> str:
    """Say the unit as it stands behind this number."""
    is_whole = value is not None and value == int(value)
    count = int(value) if is_whole and value is not None else SEVERAL
    words = {
        APPLICATIONS: ngettext("application", "applications", count),
        DATASETS: ngettext("dataset", "datasets", count),
        GPU_HOURS: ngettext("GPU-hour", "GPU-hours", count),
        MODELS: ngettext("model", "models", count),
        ORGANISATIONS: ngettext("organisation", "organisations", count),
        RUNS: ngettext("run", "runs", count),
        WORKING_DAYS: ngettext("working day", "working days", count),
    }
    return words.get(unit, unit)


def name(unit: str) -> str:
    """Name the unit by itself, as the heading of a column."""
    return said(unit, SEVERAL)

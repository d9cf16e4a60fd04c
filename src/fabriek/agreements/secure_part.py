"""Whether the machine has a secure part: where data is worked on that may be nowhere else.

What makes it secure is the operator's to arrange. The factory keeps to it that only runs that
need it go there, and that nobody gets in and nothing is sent out from there by its own doors.
"""

from django.conf import settings

# Of one machine nothing can be kept apart from the rest.
WITHOUT = "local"


def exists() -> bool:
    """Tell it as it is now: an operator may take it away."""
    return bool(settings.SLURM_SECURE_PARTITION) and settings.ENGINE != WITHOUT

"""How many GPUs the machine has for one run, and the refusal of more before a price is told."""

from django.conf import settings
from django.utils.translation import ngettext

from fabriek.engines import local_proc, slurm_wall
from fabriek.kernel.errors import Invalid


def check(gpus: int, *, is_secure: bool) -> None:
    """Refuse what would wait for ever, or be sent back. Raises: Invalid."""
    most = gpus_most(is_secure=is_secure)
    if not 0 < most < gpus:
        return
    said = ngettext(
        "The machine has %(most)d GPU for a run, and no more. Choose 1 GPU.",
        "The machine has %(most)d GPUs for a run, and no more. Choose that many or fewer.",
        most,
    ) % {"most": most}
    raise Invalid(said, code="too_many_gpus", fields={"gpus": said})


def gpus_most(*, is_secure: bool = False) -> int:
    """Tell how many one run can have; 0: nobody knows yet."""
    if settings.ENGINE == "local":
        return settings.ENGINE_GPUS or local_proc.real_gpus() or 1
    if settings.ENGINE == "slurm":
        return slurm_wall.kept_gpus(settings.ENGINE_HOME, is_secure=is_secure)
    return 0

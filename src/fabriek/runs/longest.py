"""How long the machine lets one job be: asked by the loop, read by whoever asks for a run."""

from django.conf import settings
from django.utils.translation import gettext as _

from fabriek.engines import slurm_wall
from fabriek.engines.base import Engine
from fabriek.engines.slurm import Slurm
from fabriek.kernel.errors import Invalid
from fabriek.runs import rules, words

# What is worked in is asked for by the hour; what answers, for two minutes at least.
WORKED_IN_LEAST_S, ANSWERS_LEAST_S = 3600, 120


def note(engine: Engine) -> None:
    """Let a cluster keep how long one job may be. Raises: EngineDown."""
    if isinstance(engine, Slurm):
        engine.note_walls()


def check(recipe: str, timeout_s: int, *, is_secure: bool) -> None:
    """Refuse a session that the machine would end before its time.

    Other runs go on as another job from what they saved; of a session nothing goes on.

    Raises: Invalid.
    """
    there_s = most_s(is_secure=is_secure)
    if recipe in rules.INTERACTIVE and 0 < there_s < timeout_s:
        said = _(
            "The machine lets a session last for %(longest)s at most. Choose less time."
        ) % {"longest": words.duration(there_s)}
        if there_s < (WORKED_IN_LEAST_S if recipe in rules.WORKED_IN else ANSWERS_LEAST_S):
            said = _(
                "No session fits the machine now: it ends each too soon. Ask the helpdesk of "
                "the factory."
            )
        raise Invalid(said, code="too_long_at_once", fields={"timeout_s": said})


def most_s(*, is_secure: bool = False) -> int:
    """Tell how long one job may be; 0: as long as it likes, or nobody knows yet."""
    if settings.ENGINE != "slurm":
        return 0
    kept_s = slurm_wall.kept_s(settings.ENGINE_HOME, is_secure=is_secure)
    return slurm_wall.shortest(kept_s, settings.SLURM_WALL_S)
